"""Contracts sections 4 and 10: what training may read, and one reason for everything that it may not. Pairs: preference.py.

Choices where the page is silent:
- Texts are exported exactly as they are, and ids are over the exact texts; only pair texts compare trimmed.
- The known-paths list is compared exactly. An empty list is a list: every cited path misses it.
- A record that needs a human conflicts too where others disagree on its text. What was decided against in an accepted record
  counts as rejected, under the instruction of that record.
- The gates that evidence can never fail (no sig_hash, no task, a fifth category) are spelled out too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from .landing import Row, is_blank, trim
from .scored import ACCEPTED, PARTIAL, REJECTED, REVIEW

Categories = dict[tuple[str, str], str]
Texts = tuple[str, str]
Gate = Callable[[Row, str], str | None]


@dataclass(frozen=True)
class Options:
    """The flags of a run. known_paths None: no list, the gate on cited paths is off."""

    known_paths: frozenset[str] | None = None
    include_review: bool = False
    include_partial: bool = False
    cross_stream: bool = True
    cross_stream_days: int = 7
    max_chars: int | None = None
    pairs: str = "same-prompt"
    max_pairs: int = 5


def export_rag(records: list[Row], categories: Categories, options: Options) -> tuple[list[Row], list[Row]]:
    """(exported rows sorted by id, quarantine rows) of the rag corpus."""

    def category_gate(record: Row, category: str) -> str | None:
        if category == REJECTED:
            return "unsafe_rag_category"
        if category == REVIEW and not options.include_review:
            return "category_disallowed"
        return None

    def empty_gate(record: Row, category: str) -> str | None:
        return "empty_content" if is_blank(record["content"]) else None

    def sample(record: Row, category: str) -> Row:
        title = record["task_id"] if is_blank(record["subject"]) else record["subject"]
        return {
            "schema_version": 1,
            "id": make_id("rag", record["content"]),
            "title": title,
            "content": record["content"],
            "tags": [record["source"]],
            "source_category": category,
            "source_run_id": record["run_id"],
            "task_id": record["task_id"],
            "created_at": timestamp(record["occurred_at"]),
            "provenance": provenance(record),
            "playbook_id": make_id("playbook", title) if category in (ACCEPTED, PARTIAL) else None,
        }

    return export_rows("rag", records, categories, options, category_gate, empty_gate, sample)


def export_sft(records: list[Row], categories: Categories, options: Options) -> tuple[list[Row], list[Row]]:
    """(exported rows sorted by id, quarantine rows) of the sft corpus."""

    def category_gate(record: Row, category: str) -> str | None:
        if category in (REJECTED, REVIEW):
            return "unsafe_sft_category"
        if category == PARTIAL and not options.include_partial:
            return "category_disallowed"
        return None

    def empty_gate(record: Row, category: str) -> str | None:
        either = is_blank(record["instruction"]) or is_blank(record["content"])
        return "empty_content" if either else None

    def sample(record: Row, category: str) -> Row:
        return {
            "schema_version": 1,
            "id": make_id("sft", record["instruction"], record["content"]),
            "instruction": record["instruction"],
            "context": "",
            "response": record["content"],
            "quality_score": category,
            "source_run_id": record["run_id"],
            "task_id": record["task_id"],
            "created_at": timestamp(record["occurred_at"]),
            "provenance": provenance(record),
        }

    return export_rows("sft", records, categories, options, category_gate, empty_gate, sample)


def export_rows(
    export: str,
    records: list[Row],
    categories: Categories,
    options: Options,
    category_gate: Gate,
    empty_gate: Gate,
    sample: Callable[[Row, str], Row],
) -> tuple[list[Row], list[Row]]:
    """Each record is either exported or stopped, by the first gate that matches."""
    exported: dict[str, Row] = {}
    stopped: list[Row] = []
    disputed = disputed_texts(records, categories)
    for record in sorted(records, key=lambda record: precedence(record, categories)):
        category = categories[record["source"], record["sig_hash"]]
        reason = (
            provenance_gates(record, category)
            or category_gate(record, category)
            or empty_gate(record, category)
            or path_gate(record, options)
            or conflict_gate(record, disputed)
        )
        if reason is None:
            row = sample(record, category)
            if row["id"] not in exported:
                exported[row["id"]] = row
                continue
            reason = "duplicate_id"
        stopped.append(quarantined(export, reason, record))
    return by_id(exported.values()), stopped


def provenance_gates(record: Row, category: str) -> str | None:
    """The first three row gates, the same for all exports."""
    if record["sig_hash"] is None or record["source_file"] is None or record["line_offset"] is None:
        return "missing_provenance"
    if is_blank(record["run_id"]):
        return "missing_source_run_id"
    if is_blank(record["task_id"]) or record["occurred_at"] is None or category not in (ACCEPTED, PARTIAL, REJECTED, REVIEW):
        return "schema_violation"
    return None


def path_gate(record: Row, options: Options) -> str | None:
    """A cited path that the known-paths list lacks."""
    if options.known_paths is None or options.known_paths.issuperset(record["cited_paths"]):
        return None
    return "hallucinated_file_path"


def said(record: Row) -> Texts:
    """What two records have in common that say the same."""
    return trim(record["instruction"] or ""), trim(record["content"] or "")


def disputed_texts(records: list[Row], categories: Categories) -> set[Texts]:
    """The texts, with a content, that were rejected or decided against here, and accepted, if only in part, there."""
    taught: set[Texts] = set()
    refused: set[Texts] = set()
    for record in records:
        category = categories[record["source"], record["sig_hash"]]
        if category in (ACCEPTED, PARTIAL):
            taught.add(said(record))
        if category == REJECTED:
            refused.add(said(record))
        if category == ACCEPTED and record.get("alternative_content") is not None:
            refused.add(said(record | {"content": record["alternative_content"]}))
    return {texts for texts in taught & refused if not is_blank(texts[1])}


def conflict_gate(record: Row, disputed: set[Texts]) -> str | None:
    """A text on which judges disagree."""
    return "conflicting_verdict" if said(record) in disputed else None


def precedence(record: Row, categories: Categories) -> tuple[int, datetime, str, str]:
    """Which of two rows with one id is the earlier."""
    rank = {ACCEPTED: 0, PARTIAL: 1, REVIEW: 2, REJECTED: 3}
    category = categories[record["source"], record["sig_hash"]]
    return rank[category], record["occurred_at"], record["source"], record["sig_hash"]


def make_id(prefix: str, *texts: str) -> str:
    """`<prefix>-` and 16 hex digits: over one text as it is, over several each with its length, joined with U+001F."""
    whole = texts[0] if len(texts) == 1 else chr(0x1F).join(f"{len(text)}:{text}" for text in texts)
    return f"{prefix}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def timestamp(moment: datetime) -> str:
    """2026-04-27T03:33:53.000000Z"""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def provenance(record: Row) -> Row:
    """Where an exported text comes from (without the clock)."""
    return {key: record[key] for key in ("source_file", "line_offset", "sig_hash")}


def quarantined(export: str, reason: str, record: Row) -> Row:
    """One quarantine row; for a pair, `record` is the chosen side."""
    return {
        "export": export,
        "reason": reason,
        "source": record["source"],
        "source_run_id": record["run_id"],
        "task_id": record["task_id"],
        "source_file": record["source_file"],
        "line_offset": record["line_offset"],
        "sig_hash": record["sig_hash"],
    }


def by_id(rows: Iterable[Row]) -> list[Row]:
    """The rows in the order of the export file."""
    return sorted(rows, key=lambda row: str(row["id"]))

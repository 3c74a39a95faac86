"""Contracts section 4: what training may read, and one reason for everything that it may not.

Choices where the page is silent:
- Texts are exported exactly as they are, and ids are over the exact texts; only pair texts compare trimmed.
- The known-paths list is compared exactly. An empty list is a list: every cited path misses it.
- For preference, records with one (occurred_at, sig_hash) in a task and category (the same row in two
  streams) are told apart by source.
- Records beyond the first 10 of a task and category are neither quarantined nor counted.
- Pair gates see every candidate pair, also after the fifth. A capped pair has passed, so a later pair with
  its id is a duplicate.
- A record whose task has nothing to pair it with is not in quarantine for preference.
- The gates that evidence can never fail (no sig_hash, no task, a fifth category) are spelled out too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from .landing import Row, is_blank, trim
from .scored import ACCEPTED, PARTIAL, REJECTED, REVIEW

CONSIDERED_PER_CATEGORY = 10
PAIRS_PER_TASK = 5

Categories = dict[tuple[str, str], str]
Gate = Callable[[Row, str], str | None]


@dataclass(frozen=True)
class Options:
    """The flags of a run. known_paths None: no list, the gate on cited paths is off."""

    known_paths: frozenset[str] | None = None
    include_review: bool = False
    include_partial: bool = False


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
    for record in sorted(records, key=lambda record: precedence(record, categories)):
        category = categories[record["source"], record["sig_hash"]]
        reason = (
            provenance_gates(record, category)
            or category_gate(record, category)
            or empty_gate(record, category)
            or path_gate(record, options)
        )
        if reason is None:
            row = sample(record, category)
            if row["id"] not in exported:
                exported[row["id"]] = row
                continue
            reason = "duplicate_id"
        stopped.append(quarantined(export, reason, record))
    return by_id(exported.values()), stopped


def export_preference(records: list[Row], categories: Categories, options: Options) -> tuple[list[Row], list[Row], int]:
    """(exported pairs sorted by id, quarantine rows of records and of pairs, how many pairs were capped)."""
    tasks: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {ACCEPTED: [], REJECTED: [], PARTIAL: []})
    for record in records:
        category = categories[record["source"], record["sig_hash"]]
        if category != REVIEW:
            tasks[record["task_id"]][category].append(record)

    exported: list[Row] = []
    stopped: list[Row] = []
    capped = 0
    passed_ids: set[str] = set()
    for _, task in sorted(tasks.items()):
        if not (task[ACCEPTED] and (task[REJECTED] or task[PARTIAL])):
            continue
        considered = {}
        for category, members in task.items():
            survivors = []
            for record in members:
                reason = preference_row_gates(record, category, options)
                if reason is None:
                    survivors.append(record)
                else:
                    stopped.append(quarantined("preference", reason, record))
            survivors.sort(key=lambda record: (record["occurred_at"], record["sig_hash"], record["source"]))
            considered[category] = survivors[:CONSIDERED_PER_CATEGORY]

        exported_here = 0
        for chosen, rejected, why in candidate_pairs(considered):
            pair = preference_row(chosen, rejected, why)
            reason = pair_gates(chosen, rejected, pair["id"], passed_ids)
            if reason is not None:
                stopped.append(quarantined("preference", reason, chosen))
                continue
            passed_ids.add(pair["id"])
            if exported_here < PAIRS_PER_TASK:
                exported_here += 1
                exported.append(pair)
            else:
                capped += 1
    return by_id(exported), stopped, capped


def candidate_pairs(considered: dict[str, list[Row]]) -> Iterator[tuple[Row, Row, str]]:
    """(chosen, rejected, reason) of one task: rejected ones first, each by (max(i, j), i, j)."""
    for worse in (REJECTED, PARTIAL):
        numbers = [(i, j) for i in range(len(considered[ACCEPTED])) for j in range(len(considered[worse]))]
        for i, j in sorted(numbers, key=lambda ij: (max(ij), ij)):
            yield considered[ACCEPTED][i], considered[worse][j], f"accepted_over_{worse}"


def preference_row(chosen: Row, rejected: Row, why: str) -> Row:
    """One exported pair."""
    return {
        "schema_version": 1,
        "id": make_id("pref", chosen["instruction"], chosen["content"], rejected["content"]),
        "prompt": chosen["instruction"],
        "chosen": chosen["content"],
        "rejected": rejected["content"],
        "reason": why,
        "chosen_run_id": chosen["run_id"],
        "rejected_run_id": rejected["run_id"],
        "task_id": chosen["task_id"],
        "created_at": timestamp(chosen["occurred_at"]),
        "provenance": provenance(chosen),
        "rejected_provenance": provenance(rejected),
    }


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


def preference_row_gates(record: Row, category: str, options: Options) -> str | None:
    """The reason why a record of a task that takes part may not be paired."""
    empty = is_blank(record["content"]) or (category == ACCEPTED and is_blank(record["instruction"]))
    return provenance_gates(record, category) or ("empty_content" if empty else None) or path_gate(record, options)


def pair_gates(chosen: Row, rejected: Row, pair_id: str, passed_ids: set[str]) -> str | None:
    """The reason why two records that passed the row gates may not be a pair."""
    if chosen["run_id"] == rejected["run_id"]:
        return "self_pairing"
    if trim(chosen["content"]) == trim(rejected["content"]):
        return "invalid_preference_pairing"
    return "duplicate_id" if pair_id in passed_ids else None


def precedence(record: Row, categories: Categories) -> tuple[int, datetime, str, str]:
    """Which of two rows with one id is the earlier."""
    rank = {ACCEPTED: 0, PARTIAL: 1, REVIEW: 2, REJECTED: 3}
    category = categories[record["source"], record["sig_hash"]]
    return rank[category], record["occurred_at"], record["source"], record["sig_hash"]


def make_id(prefix: str, *texts: str) -> str:
    """`<prefix>-` and 16 hex digits over the texts, joined with U+001F."""
    return f"{prefix}-{hashlib.sha256(chr(0x1F).join(texts).encode()).hexdigest()[:16]}"


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

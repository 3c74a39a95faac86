"""What the contracts page (sections 1-4 and 10) says a data directory must become, in plain Python.

The product computes the same in SQL; the tests hold it against this. Nothing here is fast, nothing here is
shared with the product, and `recorded_at` (a clock) is left out everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .evidence import STREAMS, build_evidence
from .exports import Options, export_rag, export_sft
from .landing import Row, land
from .preference import export_preference
from .scored import score

__all__ = ["Expected", "Options", "expected"]

BORROWED = {"parent_accepted", "parents_mixed", "parent_rejected"}


@dataclass(frozen=True)
class Expected:
    """Every table the contracts define, as plain dicts.

    lines: source, source_file, line_offset, line (bytes), line_sha256, sig_hash (None unless an object),
        status (object, invalid_utf8, invalid_json, not_an_object)
    blank_lines: count per stream found; partial_tails: source_file; unmapped: stream names
    records: the EvidenceRecord columns but recorded_at; skips: source, source_file, line_offset, reason
    deduped: count per mapped stream found; scored: source, sig_hash, category, reasons
    rag, sft, preference: the exported rows, sorted by id; quarantine: one row per stopped row or pair
    capped: pairs that passed every gate but came after the last that their task or subject may have
    """

    lines: list[Row]
    blank_lines: dict[str, int]
    partial_tails: list[str]
    unmapped: list[str]
    records: list[Row]
    skips: list[Row]
    deduped: dict[str, int]
    scored: list[Row]
    rag: list[Row]
    sft: list[Row]
    preference: list[Row]
    quarantine: list[Row]
    capped: int


def expected(data_dir: Path, options: Options = Options()) -> Expected:  # noqa: B008 - frozen
    """All that a run over `data_dir` must produce. Raises OSError if a file cannot be read."""
    landed = land(data_dir)
    evidence = build_evidence(landed)
    scored = score(evidence.records)
    categories = {(row["source"], row["sig_hash"]): str(row["category"]) for row in scored}
    rag, rag_stopped = export_rag(evidence.records, categories, options)
    sft, sft_stopped = export_sft(evidence.records, categories, options)
    borrowed = {(row["source"], row["sig_hash"]) for row in scored if BORROWED.intersection(row["reasons"])}
    preference, preference_stopped, capped = export_preference(evidence.records, categories, borrowed, options)
    return Expected(
        lines=[line.as_dict() for line in landed.lines],
        blank_lines=landed.blank_lines,
        partial_tails=landed.partial_tails,
        unmapped=sorted(set(landed.blank_lines) - set(STREAMS)),
        records=evidence.records,
        skips=evidence.skips,
        deduped=evidence.deduped,
        scored=scored,
        rag=rag,
        sft=sft,
        preference=preference,
        quarantine=rag_stopped + sft_stopped + preference_stopped,
        capped=capped,
    )

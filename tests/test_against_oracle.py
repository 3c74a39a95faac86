"""The product beside an independent oracle, on hostile input: every table, every file, every count."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import Gates
from tests.conftest import Workspace
from tests.oracle import Expected, Options, expected
from tests.oracle.messy import write_messy
from tests.oracle.messy_pools import KNOWN_PATHS

FILES = {
    "rag": "rag/playbooks.jsonl",
    "sft": "sft/instruction_response.jsonl",
    "preference": "preference/chosen_rejected.jsonl",
}
QUARANTINE = ("export", "reason", "source", "source_run_id", "task_id", "source_file", "line_offset", "sig_hash")


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_product_equals_oracle(workspace: Workspace, seed: int, opened: bool) -> None:
    write_messy(workspace.data, seed, 500)
    gates, options = Gates(), Options()
    if opened:
        gates = Gates(include_review=True, include_partial=True, known_paths=_known_paths(workspace.root))
        options = Options(known_paths=frozenset(KNOWN_PATHS), include_review=True, include_partial=True)
    outcome = workspace.passed(gates=gates)
    oracle = expected(workspace.data, options)

    _same(_lines(workspace), oracle.lines, "source_file", "line_offset")
    _same(workspace.rows("evidence.records"), oracle.records, "source", "sig_hash")
    _same(workspace.rows("evidence.skips"), oracle.skips, "source_file", "line_offset")
    _same(workspace.rows("scored.runs"), oracle.scored, "source", "sig_hash")
    for name, file in FILES.items():
        rows = workspace.exported(file)
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        _same([_without_clock(row) for row in rows], getattr(oracle, name), "id")
    assert _quarantine(workspace.rows("exports.quarantine")) == _quarantine(oracle.quarantine)
    _same_counts(outcome.receipts, oracle)


def _same_counts(receipts: list[dict[str, Any]], oracle: Expected) -> None:
    held = {receipt["stage"]: receipt["record_counts"] for receipt in receipts}
    collect = held["collect"]
    assert collect["in"] == collect["out"] + collect["skipped"] + collect["deduped"]
    assert collect["out"] == len(oracle.records)
    streams = {name: counts.get("deduped", 0) for name, counts in collect["by_stream"].items() if "unmapped" not in counts}
    assert streams == {name: amount for name, amount in oracle.deduped.items() if name in streams}
    assert sorted(name for name, counts in collect["by_stream"].items() if "unmapped" in counts) == oracle.unmapped
    assert held["export-preference"]["capped"] == oracle.capped
    partial = [w for w in receipts[0]["validation"]["warnings"] if "not complete" in w]
    assert len(partial) == len(oracle.partial_tails)


def _same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], *key: str) -> None:
    """Holds the columns that the oracle knows against ours, row by row."""
    by_key = {tuple(row[name] for name in key): row for row in ours}
    assert len(by_key) == len(ours) == len(theirs)
    for row in theirs:
        assert {name: by_key[tuple(row[k] for k in key)][name] for name in row} == row


def _lines(workspace: Workspace) -> list[dict[str, Any]]:
    return [
        row | {"line": row["line"].encode() if row["line"] is not None else row["line_bytes"]}
        for row in workspace.rows("raw.lines")
    ]


def _without_clock(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("provenance", "rejected_provenance"):
        if name in row:
            row[name] = {key: value for key, value in row[name].items() if key != "recorded_at"}
    return row


def _quarantine(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in QUARANTINE) for row in rows)


def _known_paths(folder: Path) -> Path:
    path = folder / "known_paths.txt"
    path.write_text("\n".join(sorted(KNOWN_PATHS)) + "\n", encoding="utf-8")
    return path

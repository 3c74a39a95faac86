"""The product beside an independent oracle, on hostile input: every table, every file, every count."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from pipeline.settings import Gates
from tests.conftest import Workspace
from tests.oracle import Expected, Options, expected
from tests.oracle.messy import write_messy
from tests.oracle.messy_pools import KNOWN_PATHS
from tests.oracle.pairing import meeting_row

FILES = {
    "rag": "rag/playbooks.jsonl",
    "sft": "sft/instruction_response.jsonl",
    "preference": "preference/chosen_rejected.jsonl",
}
QUARANTINE = ("export", "reason", "source", "source_run_id", "task_id", "source_file", "line_offset", "sig_hash")


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
@pytest.mark.parametrize("pairs", ["same-prompt", "task"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_product_equals_oracle(workspace: Workspace, seed: int, opened: bool, pairs: str) -> None:
    write_messy(workspace.data, seed, 500)
    options = Options(pairs=pairs)
    if opened:
        options = replace(
            options, known_paths=frozenset(KNOWN_PATHS), include_review=True, include_partial=True, max_chars=3, max_pairs=1
        )
    _holds(workspace, options)


MOST = settings(max_examples=8, phases=[Phase.explicit, Phase.generate])


@MOST
@example(seed=1, cross_stream=True, days=7, max_chars=None, opened=False, pairs="same-prompt", max_pairs=5)
@example(seed=2, cross_stream=True, days=7, max_chars=None, opened=False, pairs="task", max_pairs=5)
@given(
    seed=st.integers(0, 10**6),
    cross_stream=st.sampled_from([True, True, False]),
    days=st.sampled_from([0, 1, 7, 36500]),
    max_chars=st.sampled_from([None, 1, 10, 22]),
    opened=st.booleans(),
    pairs=st.sampled_from(["same-prompt", "same-prompt", "task"]),
    max_pairs=st.sampled_from([5, 5, 1, 2, 1000]),
)
def test_where_records_meet_the_product_equals_the_oracle(
    seed: int, cross_stream: bool, days: int, max_chars: int | None, opened: bool, pairs: str, max_pairs: int
) -> None:
    """Section 10: texts that judges disagree on, pairs across streams, settled discrepancies, truncated twins."""
    rng = random.Random(seed)
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        for _ in range(rng.choice([40, 150, 400])):
            stream, row = meeting_row(rng)
            workspace.write(f"{stream}.jsonl", [row])
        known = frozenset(KNOWN_PATHS) if opened else None
        oracle = _holds(workspace, Options(known, opened, opened, cross_stream, days, max_chars, pairs, max_pairs))
        assert cross_stream or "cross_stream" not in {row["reason"] for row in oracle.preference}


def _holds(workspace: Workspace, options: Options) -> Expected:
    """Runs over the data of a workspace and holds what came of it against the oracle."""
    gates = Gates(
        include_review=options.include_review,
        include_partial=options.include_partial,
        known_paths=_known_paths(workspace.root) if options.known_paths is not None else None,
        cross_stream=options.cross_stream,
        cross_stream_days=options.cross_stream_days,
        max_chars=options.max_chars,
        pairs=options.pairs,
        max_pairs=options.max_pairs,
    )
    outcome = workspace.passed(gates=gates, threads=None)
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
    return oracle


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

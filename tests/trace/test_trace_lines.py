"""`distill trace --line`: what became of a line, and everything that any snapshot ever held from it."""

import json
from functools import cache

import pytest

from pipeline.errors import UsageError
from pipeline.settings import Gates
from tests.conftest import Workspace
from tests.support.forked import borrowed, passed, run_in
from tests.support.rows import review
from tests.support.traced import STREAM, of, of_line, only_id, pair, rows, statuses, wrong


def test_released_in_some_snapshots(workspace: Workspace) -> None:
    """Two runs with the switch, around one without: a row that waits for a human comes and goes."""
    workspace.write(STREAM, [*pair(), review("t3", "who knows", "unsure", 3)])
    review_too = Gates(include_review=True)
    for gates in (review_too, None, review_too, None):
        workspace.passed(gates=gates)
    found = of_line(workspace, f"{STREAM}:3")
    (row,) = found.released or ()
    assert (row.export, row.side, row.snapshots, row.is_in_newest) == ("rag", "row", (1, 3), False)
    runs = {snapshot.snapshot: snapshot.run_id for snapshot in workspace.warehouse.snapshots()}
    assert (row.first_run_id, row.last_run_id) == (runs[1], runs[3])
    assert {(o.export, o.outcome, o.reason) for o in found.chains[0].became or ()} == {
        ("rag", "quarantined", "category_disallowed"),
        ("sft", "quarantined", "unsafe_sft_category"),
    }
    assert [(r.export, r.snapshots) for r in of_line(workspace, f"{STREAM}:1").released or ()] == [
        ("preference", (1, 2, 3, 4)),
        ("rag", (1, 2, 3, 4)),
        ("sft", (1, 2, 3, 4)),
    ]
    last = of(workspace, row.id)
    assert (last.snapshot, last.is_newest, last.holds) == (3, False, True) and "last stood" in last.notes[0]
    assert of(workspace, row.id, as_of="3 runs ago").snapshot == 1
    with pytest.raises(UsageError, match=runs[4]):
        of(workspace, row.id, as_of="latest")


def test_rewritten_files(workspace: Workspace) -> None:
    workspace.write(STREAM, pair())
    workspace.passed()
    asked = only_id(workspace, "exports.sft")
    (old,) = (workspace.settings.warehouse / "exports/rag").glob("*.parquet")
    path = workspace.data / STREAM
    path.write_bytes(path.read_bytes().replace(b'"good"', b'"better"'))

    # Landed anew, but no evidence was built from it yet.
    workspace.passed("land", accept_rewrite=True)
    found = of(workspace, asked)
    assert found.is_newest and statuses(found)["raw line"] == "ok" and wrong(found) == {"source": {"line_sha256", "sig_hash"}}
    assert statuses(of_line(workspace, f"{STREAM}:1")) == {"record": "none", "raw line": "ok", "source": "ok"}

    workspace.passed()
    found = of_line(workspace, f"{STREAM}:1")
    assert found.holds and [chain.name for chain in found.chains] == ["generation 1", "generation 0"]
    assert found.chains[1].steps[-1].name == "superseded"
    everything = {(export, numbers) for export in ("rag", "sft", "preference") for numbers in ((1, 2), (3,))}
    assert {(r.export, r.snapshots) for r in found.released or ()} == everything
    assert of(workspace, only_id(workspace, "exports.sft")).holds
    before = of(workspace, asked)
    assert before.snapshot == 2 and wrong(before) == {"source": {"line_sha256", "sig_hash"}}
    assert "generation 0, and 1 is landed" in before.steps[-1].says

    # A file that no version needs any more may be taken away.
    old.unlink()
    found = of_line(workspace, f"{STREAM}:1")
    assert found.holds and "1 file of earlier versions is gone" in found.notes[0]
    assert {(r.export, r.snapshots) for r in found.released or ()} == everything - {("rag", (1, 2))}
    with pytest.raises(UsageError, match="1 file of earlier versions is gone"):
        of(workspace, "rag-0123456789abcdef")


def test_restored_and_vacuumed(workspace: Workspace) -> None:
    """A line that a restore took out is still found; after a vacuum, what is left is read where it can be read."""
    workspace.write(STREAM, pair())
    workspace.passed()
    workspace.write(STREAM, [review("t3", "accept", "late", 3)])
    workspace.passed()
    late = only_id(workspace, "exports.rag", content="late")
    with borrowed() as distill:
        passed(run_in(distill, workspace, "restore", "--to", "1 run ago"))
        found = of_line(workspace, f"{STREAM}:3")
        assert found.holds and (found.snapshot, found.is_newest) == (2, False) and "last stood" in found.notes[-1]
        assert {(r.export, r.snapshots, r.is_in_newest) for r in found.released or ()} == {
            ("rag", (2,), False),
            ("sft", (2,), False),
        }
        assert of(workspace, late).snapshot == 2
        passed(run_in(distill, workspace, "vacuum", "--keep-runs", "1", "--keep-days", "0"))
    with pytest.raises(UsageError, match="are gone"):
        of(workspace, late)
    found = of_line(workspace, f"{STREAM}:1")
    assert found.holds and found.is_newest and {r.export for r in found.released or ()} == {"rag", "sft", "preference"}


def test_repeats_and_skips(workspace: Workspace) -> None:
    good, bad = pair()
    lines = [good, "", good, b"{broken", b"\xff\xfe", {"file": "no time"}, bad, {"file": "no time"}]
    workspace.write(STREAM, lines)
    workspace.write("nobody_knows.jsonl", [{"a": 1}])
    workspace.passed()

    @cache
    def says(offset: int, name: str = STREAM) -> tuple[str, str]:
        found = of_line(workspace, f"{name}:{offset + 1}")
        assert found.holds
        return found.chains[0].steps[0].name, found.chains[0].steps[0].says

    assert says(0)[0] == "score" and says(6)[0] == "score"
    assert says(2) == ("repeat", f"says the same as {STREAM}:1, which is the record")
    assert [says(n)[0] for n in (3, 4, 5, 7)] == ["skipped"] * 4
    assert [says(n)[1].split(":")[0] for n in (3, 4, 5, 7)] == [
        "invalid_json",
        "invalid_utf8",
        "missing_timestamp",
        "missing_timestamp",
    ]
    assert says(0, "nobody_knows.jsonl")[0] == "record"
    assert of_line(workspace, f"{STREAM}:3").released == ()
    with pytest.raises(UsageError, match="blank"):
        of_line(workspace, f"{STREAM}:2")
    (skipped, _) = [row["sig_hash"] for row in rows(workspace, "evidence.skips") if row["reason"] == "missing_timestamp"]
    found = of(workspace, skipped)
    assert found.kind == "line" and found.chains[0].steps[0].name == "skipped"


def test_records_and_what_became_of_them(workspace: Workspace) -> None:
    written = [review("t1", "accept", f"good {n}", n) for n in range(6)]
    written += [review("t1", "reject", "bad", 7), review("t1", "cycle", " good 0 ", 8), review("t2", "accept", "good 1", 9)]
    workspace.write(STREAM, written)
    workspace.passed()

    def fates(asked: str) -> set[tuple[str, str, str, str | None]]:
        found = of(workspace, asked)
        assert found.kind == "record" and found.holds
        return {(o.export, o.side, o.outcome, o.reason) for chain in found.chains for o in chain.became or ()}

    bad, same = fates("run-bad"), fates("run- good 0 ")
    assert {f for f in bad if f[0] != "preference"} == {
        ("rag", "row", "quarantined", "unsafe_rag_category"),
        ("sft", "row", "quarantined", "unsafe_sft_category"),
    }
    assert {(side, outcome) for export, side, outcome, _ in bad if export == "preference"} >= {("rejected", "exported")}
    assert ("preference", "rejected", "quarantined", "invalid_preference_pairing") in same
    assert ("preference", "chosen", "quarantined", "invalid_preference_pairing") in fates("run-good 0")
    assert any(f[2] == "capped" for f in bad | same)
    found = of(workspace, "run-good 1")
    assert [chain.name for chain in found.chains] == [f"{STREAM}:2", f"{STREAM}:9"]
    assert "duplicate_id" in {o.reason for o in found.chains[1].became or ()}
    sig_hash = rows(workspace, "evidence.records")[0]["sig_hash"]
    assert len(of(workspace, sig_hash).chains) == 1


def test_every_printed_place_can_be_typed(workspace: Workspace) -> None:
    """FILE:N is one and the same line in search, in the details of gates, in messages, and for `trace --line`."""
    accepted, rejected = (review("t1", verdict, f"the same words, {n}", n) for n, verdict in enumerate(("accept", "reject")))
    rejected["notes"] = accepted["notes"]
    workspace.write(STREAM, ["{broken", review("t0", "accept", "nothing but words", 0), accepted, rejected])
    with borrowed() as distill:
        failed = run_in(distill, workspace, "run-all", "--strict")
        assert failed.code == 1 and f"{STREAM}:1 (invalid_json" in failed.err
        passed(run_in(distill, workspace, "run-all"))
        found = json.loads(passed(run_in(distill, workspace, "search", "nothing but words", "--json")).out)["hits"][0]
        traced = passed(run_in(distill, workspace, "trace", "--line", found["source"])).out
        assert found["source"] == f"{STREAM}:2" and found["id"] in traced and f"{workspace.data}/{STREAM}:2" in traced
        assert f"{STREAM}:2, generation 0" in traced
    details = {row["detail"] for row in rows(workspace, "exports.quarantine") if row["reason"] == "conflicting_verdict"}
    assert details == {f"the same text was accepted at {STREAM}:3 and rejected at {STREAM}:4"}
    assert of_line(workspace, f"{STREAM}:3").chains[0].steps[0].says.startswith("accepted")
    assert of_line(workspace, f"{STREAM}:4").chains[0].steps[0].says.startswith("rejected")

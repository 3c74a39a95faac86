"""history and diff: what was published, and which rows differ, held against a comparison in plain Python."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.models.tables import CLOCK_COLUMNS, Table
from pipeline.query.comparing import difference
from tests.conftest import Workspace
from tests.support.forked import borrowed, passed, refused, run_in
from tests.support.rows import review
from tests.support.states import STREAM, History, put_back, reader
from tests.upkeep.test_restore import audited, released


def naive(table: Table, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the same counts and columns by comparing rows in dicts."""

    def keyed(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        found = {
            tuple(row[name] for name in table.key): {n: _timeless(v) for n, v in row.items() if n not in CLOCK_COLUMNS}
            for row in rows
        }
        assert len(found) == len(rows), f"{table.name}: its key is none"
        return found

    was, now = keyed(before), keyed(after)
    changed = [key for key in was.keys() & now.keys() if was[key] != now[key]]
    columns = Counter(name for key in changed for name in was[key] if was[key][name] != now[key][name])
    counts = {"added": len(now.keys() - was.keys()), "removed": len(was.keys() - now.keys()), "changed": len(changed)}
    return {"counts": counts, "columns": dict(columns)}


def _timeless(value: Any) -> Any:
    return {n: v for n, v in value.items() if n not in CLOCK_COLUMNS} if isinstance(value, dict) else value


def holds(workspace: Workspace, states: list[str], pairs: list[tuple[int, int]]) -> Counter[str]:
    """Holds the difference of every table with a key between pairs of states against the naive one; returns what there was."""
    warehouse, total = reader(workspace.settings.warehouse), Counter[str]()
    for table in (table for table in warehouse.store.tables.values() if table.key):
        rows = {
            number: warehouse.arrow(table.name, as_of=states[number]).to_pylist() for number in {n for p in pairs for n in p}
        }
        for one, two in pairs:
            found = difference(warehouse, table.name, states[one], states[two], 1000)
            assert {"counts": found.counts, "columns": found.columns} == naive(table, rows[one], rows[two]), (
                table.name,
                one,
                two,
            )
            assert Counter(row["kind"] for row in found.rows) == Counter({k: n for k, n in found.counts.items() if n})
            total.update(found.counts)
    return total


def test_every_table_between_states(history: History) -> None:
    total = holds(Workspace(history.root), [state.run_id for state in history.states], [(1, 2), (4, 1)])
    assert min(total[kind] for kind in ("added", "removed", "changed")) > 10


def test_random_edits(tmp_path: Path) -> None:
    """A stream that is rewritten again and again: rows come, go, move and change, nested columns too."""
    rng, workspace, states = random.Random(11), Workspace(tmp_path), []
    rows = [review(f"t{n % 6}", rng.choice(("accept", "reject", "")), f"n {n}", n) for n in range(30)]
    for _ in range(2):
        for _ in range(12):
            change, place = rng.choice(("drop", "edit", "swap", "add")), rng.randrange(len(rows))
            if change == "drop":
                rows.pop(place)
            elif change == "edit":
                rows[place] = rows[place] | {
                    "verdict": rng.choice(("accept", "cycle", "reject")),
                    "notes": rng.choice(("a\x1fb", "ü'\"", "n 3")),
                }
            elif change == "swap":
                rows[place], rows[0] = rows[0], rows[place]
            else:
                rows.append(review("t9", "accept", f"more {rng.random()}", 1))
        (workspace.data / STREAM).unlink(missing_ok=True)
        workspace.write(STREAM, rows)
        workspace.passed(accept_rewrite=True)
        states.append(workspace.warehouse.snapshot().run_id)
    total = holds(workspace, states, [(0, 1), (1, 0)])
    assert total["changed"] > 10


def test_the_diff_command(history: History) -> None:
    workspace, first, second = Workspace(history.root), history.run_id(4), history.run_id(5)
    with borrowed() as distill:
        found = json.loads(
            passed(run_in(distill, workspace, "diff", "scored.runs", first, second, "--json", "--limit", "3")).out
        )
        assert (found["table"], found["from"], found["to"]) == ("scored.runs", first, second)
        assert found["changed"] > 3 == len(found["rows"]) and set(found["columns"]) == {"category", "reasons", "scorer_version"}
        assert all(set(row["columns"]) <= set(found["columns"]) for row in found["rows"])
        text = passed(run_in(distill, workspace, "diff", "scored.runs", "1 run ago", "--limit", "3")).out
        assert f"from run {first} to run {second}" in text and f"and {found['changed'] - 3} more" in text
        same = json.loads(passed(run_in(distill, workspace, "diff", "exports.rag", second, "latest", "--json")).out)
        assert (same["added"], same["removed"], same["changed"], same["columns"], same["rows"]) == (0, 0, 0, {}, [])
        refused(run_in(distill, workspace, "diff", "scored.nothing", first), 2, "scored.nothing", "scored.runs")
        refused(run_in(distill, workspace, "diff", "ops.runs", first), 2, "can't be compared")
        refused(run_in(distill, workspace, "diff", "scored.runs", "never", first), 2, "'never' names no published run")


def test_history(history: History, tmp_path: Path) -> None:
    workspace = history.copy(tmp_path)
    put_back(workspace, history.run_id(2))
    released(workspace, "v1", 3)
    audited(workspace, 4, passed=False)
    audited(workspace, 5, passed=True)
    with borrowed() as distill:
        rows = json.loads(passed(run_in(distill, workspace, "history", "--json")).out)
        assert [row["snapshot"] for row in rows] == [6, 5, 4, 3, 2, 1]
        assert [row["run_id"] for row in rows[1:]] == [state.run_id for state in reversed(history.states)]
        assert [row["kind"] for row in rows] == ["restore", *["run"] * 5]
        notes = [f"restored {history.run_id(2)}", "audit passed", "audit failed", "release v1", "", ""]
        assert [row["notes"] for row in rows] == notes
        for row, state in zip(rows[1:], reversed(history.states), strict=True):
            assert [row[name] for name in ("rag", "sft")] == [len(state.rows[f"exports.{name}"]) for name in ("rag", "sft")]
        shown = passed(run_in(distill, workspace, "history")).out
        assert all(state.run_id in shown for state in history.states)
        versions = json.loads(passed(run_in(distill, workspace, "history", "scored.runs", "--json")).out)
        assert [row["version"] for row in versions] == sorted((row["version"] for row in versions), reverse=True)
        published = {run for row in versions for run in row["published by"].split(", ") if run}
        assert published == {row["run_id"] for row in rows}
        assert versions[0]["operation"] == "RESTORE" and versions[0]["run_id"] == rows[0]["run_id"]
        refused(run_in(distill, workspace, "history", "scored.nothing"), 2, "there is no table scored.nothing")
        Workspace(tmp_path / "none").settings.warehouse.mkdir()
        none = run_in(distill, Workspace(tmp_path / "none"), "history", "--json")
        assert (none.code, none.out.strip()) == (0, "[]"), none.text

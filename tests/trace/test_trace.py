"""`distill trace`: from exported rows to source lines and back, every hash worked out again, nothing tampered with unseen."""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.errors import UsageError, WarehouseError
from pipeline.reader import Warehouse
from pipeline.settings import Gates
from pipeline.trace import trace, tracer
from tests.conftest import RECORDED_AT, Workspace
from tests.support.forked import Distill, passed, refused, run_in
from tests.support.rows import review
from tests.support.traced import STREAM, of, of_line, only_id, pair, reader, rows, statuses, wrong

SAMPLE = Path(__file__).parent.parent.parent / "data"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    workspace.write(STREAM, [*pair(), review("t2", "accept", "fine", 3)])
    workspace.passed()
    return workspace


@pytest.fixture
def published(prepared: Workspace, tmp_path: Path) -> Workspace:
    """One run over three reviews, two of which make a pair."""
    return prepared.copy(tmp_path / "copy")


def rewrite(workspace: Workspace, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Changes what a published Parquet file holds, behind everybody's back."""
    (path,) = (workspace.settings.warehouse / table.replace(".", "/")).glob("*.parquet")
    pq.write_table(change(pq.read_table(path)), path)


def replaced(column: str, old: str, new: str) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(column)
        texts = pc.replace_substring(table.column(column).cast(pa.string()), old, new)
        assert texts != table.column(column)
        return table.set_column(place, column, texts)

    return change


def test_every_row_of_the_sample_holds(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    gates = Gates(known_paths=SAMPLE / "known_paths.txt", include_review=True, include_partial=True)
    workspace.passed(data=SAMPLE / "_kb", gates=gates)
    ids = [row["id"] for name in ("rag", "sft", "preference") for row in rows(workspace, f"exports.{name}")]
    with tracer(workspace.warehouse, SAMPLE / "_kb") as tracing:
        found = tracing.rows(ids)
    assert len(ids) > 1000 and list(found) and set(found) == set(ids)
    assert {name: [s for s in f.steps if s.status != "ok"] for name, f in found.items() if not f.holds} == {}
    assert all(len(f.steps) == (9 if name.startswith("pref-") else 5) for name, f in found.items())
    assert all(step.checks for f in found.values() for step in f.steps)


def test_each_export(published: Workspace) -> None:
    good = of(published, only_id(published, "exports.rag", content="good"))
    assert good.holds and good.kind == "row" and good.is_newest
    assert list(statuses(good)) == ["exported row", "score", "record", "raw line", "source"]
    assert good.chains[0].steps[-1].place == f"{published.data}/{STREAM}:1"
    assert re.fullmatch("accepted: observer_accept; by scorer [0-9a-f]{12}", good.chains[0].steps[0].says)
    assert of(published, only_id(published, "exports.sft", response="fine")).holds
    both = of(published, only_id(published, "exports.preference"))
    assert both.holds and [chain.name for chain in both.chains] == ["chosen", "rejected"]
    assert [chain.steps[-1].facts["line"] for chain in both.chains] == [1, 2]


def test_a_source_line_that_changed(published: Workspace) -> None:
    path, asked = published.data / STREAM, only_id(published, "exports.rag", content="good")
    path.write_bytes(path.read_bytes().replace(b'"good"', b'"evil"'))
    found = of(published, asked)
    assert wrong(found) == {"source": {"line_sha256", "sig_hash"}}
    assert "changed since" in found.steps[-1].says
    # Only the space between the values differs: the row is the same, the bytes are not.
    path.write_bytes(path.read_bytes().replace(b'"evil"', b'"good" '))
    assert wrong(of(published, asked)) == {"source": {"line_sha256"}}
    path.write_bytes(b"\n")
    assert "has 1 lines" in of(published, only_id(published, "exports.rag", content="fine")).steps[-1].says
    path.unlink()
    found = of(published, asked)
    assert not found.holds and statuses(found)["source"] == "missing" and wrong(found) == {}
    assert "no such file" in found.steps[-1].says
    assert "--data" in trace(published.warehouse, published.root / "nowhere", asked).steps[-1].says


TAMPERED = {
    "raw line": ("raw.lines", replaced("line", '"good"', '"evil"'), {"raw line": {"line_sha256", "sig_hash"}}),
    "record": ("evidence.records", replaced("content", "good", "evil"), {"record": {"content_sha256"}}),
    "score": ("scored.runs", replaced("task_id", "t1", "t9"), {"score": {"task_id"}}),
    "category": ("scored.runs", replaced("category", "accepted", "rejected"), {"exported row": {"category"}}),
    "export": ("exports.rag", replaced("content", "good", "evil"), {"exported row": {"id"}, "record": {"content_sha256"}}),
    "export's task": ("exports.rag", replaced("task_id", "t1", "t9"), {"exported row": {"task_id"}}),
    "export's run": ("exports.rag", replaced("source_run_id", "run-good", "run-x"), {"exported row": {"run_id"}}),
    "export's title": ("exports.rag", replaced("title", "t1.py", "t9.py"), {"exported row": {"title"}}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_shows_where_it_was_done(name: str, published: Workspace) -> None:
    table, change, expected = TAMPERED[name]
    asked = only_id(published, "exports.rag", content="good")
    rewrite(published, table, change)
    found = of(published, asked)
    assert not found.holds and wrong(found) == expected


def test_a_pair_that_was_tampered_with(published: Workspace) -> None:
    asked = only_id(published, "exports.preference")
    rewrite(published, "exports.preference", replaced("rejected", "bad", "worse"))
    assert wrong(of(published, asked)) == {"exported row": {"id"}, "record": {"content_sha256"}}


def test_a_link_that_is_gone(published: Workspace) -> None:
    asked = only_id(published, "exports.rag", content="good")
    rewrite(published, "scored.runs", replaced("source_file", STREAM, "elsewhere.jsonl"))
    found = of(published, asked)
    assert statuses(found)["score"] == "missing" and not found.holds


def test_exit_codes(published: Workspace, distill: Distill) -> None:
    asked = only_id(published, "exports.preference")
    done = passed(run_in(distill, published, "trace", asked))
    assert "every hash holds" in done.out and f"{published.data}/{STREAM}:2" in done.out
    document = json.loads(passed(run_in(distill, published, "trace", "--json", "--line", f"{STREAM}:2")).out)
    assert [(r["export"], r["id"], r["side"], r["snapshots"]) for r in document["released"]] == [
        ("preference", asked, "rejected", [1])
    ]
    refused(run_in(distill, published, "trace"), 2, "--line")
    refused(run_in(distill, published, "trace", asked, "--line", "x:1"), 2)
    refused(run_in(distill, published, "trace", asked[:-2]), 2, asked, "sig_hash")
    refused(run_in(distill, published, "trace", asked, "--as-of", "3 runs ago"), 2)
    refused(run_in(distill, published, "trace", asked, "--warehouse", "nowhere"), 3, "nowhere")
    (published.data / STREAM).write_bytes(b"other\nlines\nhere\n")
    done = run_in(distill, published, "trace", asked)
    assert (done.code, done.err) == (1, "") and "MISMATCH" in done.out and "steps do not hold" in done.out
    document = json.loads(run_in(distill, published, "trace", "--json", asked).out)
    assert document["holds"] is False and document["chains"][0]["steps"][-1]["status"] == "mismatch"
    (parquet,) = (published.settings.warehouse / "evidence/records").glob("*.parquet")
    parquet.write_bytes(b"PAR1" + b"\0" * 50 + b"PAR1")
    refused(run_in(distill, published, "trace", asked), 3)


def test_what_makes_no_sense(published: Workspace) -> None:
    for asked in ("x", "", "rag-0000000000000000", "\0", "'; drop table x --", "%", "\x1b[31m", "a" * 100_000, "\udcff"):
        with pytest.raises(UsageError, match="run_id") as error:
            of(published, asked)
        assert str(error.value).isprintable() and len(str(error.value)) < 2000
    for asked, said in {
        "": "FILE:N",
        STREAM: "FILE:N",
        f"{STREAM}:-1": "FILE:N",
        f"{STREAM}:{10**30}": "FILE:N",
        f"{STREAM}:0": "N counts its lines from 1",
        f"{STREAM}:4": "from 1 to 3: there is no line 4",
        f"{STREAM}:99": "from 1 to 3",
        f"data/{STREAM}:1": STREAM,
        "observer_review.jsonl:1": STREAM,
        "../../etc/passwd:1": "no line was landed",
        "a'b\x1b:1": "no line was landed",
        "\udcff:1": "UTF-8",
    }.items():
        with pytest.raises(UsageError, match=said) as error:
            of_line(published, asked)
        assert str(error.value).isprintable()
    (published.root / "empty").mkdir()
    with pytest.raises(WarehouseError):
        trace(Warehouse(published.root / "empty"), published.data, "x")


def test_a_name_that_leads_out_is_not_followed(published: Workspace) -> None:
    shutil.copy(published.data / STREAM, published.root / "out.jsonl")

    def change(table: pa.Table) -> pa.Table:
        names = pc.replace_substring(table.column("source_file"), STREAM, "../out.jsonl")
        return table.set_column(table.schema.get_field_index("source_file"), "source_file", names)

    for table in ("raw.lines", "raw.files"):
        rewrite(published, table, change)
    last = of_line(published, "../out.jsonl:1").chains[0].steps[-1]
    assert last.status == "missing" and "leads out" in last.says


def test_hostile_names_do_no_harm(workspace: Workspace, distill: Distill) -> None:
    name = "observer_reviews/it's \x1b[2J\n[bold].jsonl"
    run = "run'\x1b[31m\"; --\nevery hash holds"
    workspace.write(name, [review("t'\x07", "accept", "good") | {"run_id": run}, review("t'\x07", "reject", "bad", 1)])
    workspace.passed()
    for asked in (only_id(workspace, "exports.preference"), run):
        done = passed(run_in(distill, workspace, "trace", "--", asked))
        assert "\x1b" not in done.out and "\x07" not in done.out and "\\x1b[2J\\n[bold].jsonl" in done.out
        assert done.out.count("\nevery hash holds") == 1
    done = passed(run_in(distill, workspace, "trace", "--line", f"{name}:1"))
    assert "\x1b" not in done.out and done.out.count("\nevery hash holds") == 1


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_packed_files(suffix: str, workspace: Workspace) -> None:
    path = workspace.data / f"{STREAM}.{suffix}"
    lines = b"\r\n".join([json.dumps(row).encode() for row in pair()] + [b""])
    packed = gzip.compress(lines) if suffix == "gz" else zstandard.compress(lines)
    path.write_bytes(packed)
    workspace.passed()
    asked = only_id(workspace, "exports.preference")
    found = of(workspace, asked)
    assert found.holds and found.steps[-1].place == f"{path}:2"
    path.write_bytes(packed[: len(packed) // 2])
    assert statuses(of(workspace, asked))["source"] == "missing"
    path.write_bytes(b"no such thing")
    assert "can't be read" in of(workspace, asked).steps[-1].says


def test_lines_that_json_reads_in_two_ways(workspace: Workspace) -> None:
    """Repeated keys, lone surrogates, numbers beyond 64 bits and small floats have the hashes that json gives them."""
    more = ['"x": 1, "x": 2', '"x": "\\ud800"', f'"x": {10**40}', '"x": 1e-7', '"x": 1e999', '"x": "é\\u0000"']
    texts = [json.dumps(review(f"t{n}", "accept", f"good {n}", n))[:-1] + f", {part}}}" for n, part in enumerate(more)]
    workspace.write(STREAM, texts)
    workspace.passed()
    ids = [row["id"] for row in rows(workspace, "exports.rag")]
    with tracer(reader(workspace.settings.warehouse), workspace.data) as tracing:
        assert len(ids) == len(more) and all(found.holds for found in tracing.rows(ids).values())


def test_json_is_plain(published: Workspace) -> None:
    for found in (of(published, only_id(published, "exports.sft", response="good")), of_line(published, f"{STREAM}:1")):
        document = json.loads(json.dumps(found.as_json()))
        assert list(document) == [
            *("asked", "kind", "holds", "snapshot", "run_id", "is_newest_snapshot", "row", "chains", "released", "notes")
        ]
        step = document["chains"][0]["steps"][0]
        assert list(step) == ["step", "place", "status", "says", "checks", "facts"]
        line = next(step for step in document["chains"][0]["steps"] if step["step"] == "raw line")
        assert line["facts"]["recorded_at"] == RECORDED_AT.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

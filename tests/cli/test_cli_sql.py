"""`distill sql`: one select, at any published state, in any format; and nothing but a select."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.conftest import Workspace
from tests.support.forked import Distill, Done, borrowed, each, passed, refused, run_in
from tests.support.killing import review


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three runs, with 4, 5 and 6 records."""
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    with borrowed() as distill:
        workspace.write("scrum_reviews.jsonl", [review(n) for n in range(3)])
        for number in range(3, 6):
            workspace.write("scrum_reviews.jsonl", [review(number)])
            passed(run_in(distill, workspace, "run-all"))
        return workspace


def query(distill: Distill, workspace: Workspace, sql: str, *options: str) -> Done:
    return run_in(distill, workspace, "sql", *options, "--", sql)


ROWS = """
select 1 as whole, 'quo"te, ''x''' as text, null as nothing, true as truth, 1.5 as part, [1, null] as list,
    {'a': 'b'} as struct, date '2026-01-02' as day, timestamptz '2026-01-02 03:04:05+02' as moment
union all select 2, 'ü\n漢', 'something', false, 2.0, [], {'a': null}, date '2026-01-03', null
order by whole
"""


def test_formats(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    first = {"whole": 1, "text": "quo\"te, 'x'", "nothing": None, "truth": True, "list": [1, None], "struct": {"a": "b"}}
    found = json.loads(passed(query(distill, published, ROWS, "--format", "json")).out)
    assert {name: found[0][name] for name in first} == first
    assert (found[0]["day"], found[0]["moment"], found[1]["moment"]) == ("2026-01-02", "2026-01-02T01:04:05Z", None)
    lines = passed(query(distill, published, ROWS, "--format", "jsonl")).out
    assert [json.loads(line) for line in lines.split("\n")[:-1]] == found
    table = list(csv.DictReader(io.StringIO(passed(query(distill, published, ROWS, "--format", "csv")).out)))
    assert [(row["whole"], row["text"], row["nothing"]) for row in table] == [
        ("1", first["text"], ""),
        ("2", "ü\n漢", "something"),
    ]
    assert [json.loads(row["list"]) for row in table] == [[1, None], []]
    shown = passed(query(distill, published, ROWS)).out
    assert "whole" in shown and "ü" in shown and "quo\"te, 'x'" in shown
    path = tmp_path / "found.parquet"
    done = passed(query(distill, published, ROWS, "--format", "parquet", "--output", str(path)))
    assert done.out == ""
    stored = pyarrow.parquet.read_table(path)
    assert stored.column("text").to_pylist() == [first["text"], "ü\n漢"]
    for kind in ("csv", "json", "jsonl"):
        path = tmp_path / f"found.{kind}"
        passed(query(distill, published, ROWS, "--format", kind, "--output", str(path)))
        assert path.read_text() == passed(query(distill, published, ROWS, "--format", kind)).out


def test_times_look_alike_however_deep_they_are(published: Workspace, distill: Distill) -> None:
    moment = "timestamptz '2026-01-02 03:04:05+02'"
    nested = f"select {{'a\"''b': {moment}, 'l': [{{'at': {moment}}}, null]}} as v, [[{moment}], null] as w, {moment} as t"
    (row,) = json.loads(passed(query(distill, published, nested, "--format", "json")).out)
    at = row["t"]
    assert at == "2026-01-02T01:04:05Z"
    assert row == {"v": {"a\"'b": at, "l": [{"at": at}, None]}, "w": [[at], None], "t": at}
    (row,) = json.loads(passed(query(distill, published, "select provenance from exports.rag limit 1", "--format", "json")).out)
    assert row["provenance"]["recorded_at"].endswith("Z")


def test_a_file_that_a_query_names_is_no_damage(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    for wrong in (f"read_csv('{tmp_path}/nope.csv')", f"read_parquet('{__file__}')", f"'{tmp_path}/nope.parquet'"):
        done = refused(query(distill, published, f"select * from {wrong}"), 2, "DuckDB refused the SQL")
        assert "restore" not in done.err


def test_results_without_rows(published: Workspace, distill: Distill) -> None:
    nothing = "select 1 as a, 'x' as b where false"
    found = {kind: passed(query(distill, published, nothing, "--format", kind)).out for kind in ("csv", "json", "jsonl")}
    assert found == {"csv": '"a","b"\n', "json": "[]\n", "jsonl": ""}


def test_formats_that_make_no_sense(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    refused(query(distill, published, "select 1", "--format", "xml"), 2, "xml")
    refused(query(distill, published, "select 1", "--output", str(tmp_path / "x")), 2, "--format")
    refused(query(distill, published, "select 1", "--format", "csv", "--output", str(tmp_path)), 2)
    refused(query(distill, published, "select 1", "--format", "csv", "--output", str(tmp_path / "no/x.csv")), 3, "no/x.csv")
    assert list(tmp_path.iterdir()) == []


VALUES = {
    "infinite time": "select 'infinity'::timestamp as v",
    "infinite time, UTC": "select 'infinity'::timestamptz as v",
    "infinite day": "select '-infinity'::date as v",
    "far time": "select timestamp '12026-01-01 00:00:00' as v",
    "before Christ": "select date '0044-03-15 (BC)' as v",
    "nanoseconds": "select timestamp_ns '2026-01-01 00:00:00.123456789' as v",
    "nested nanoseconds": "select [timestamp_ns '2026-01-01 00:00:00.123456789'] as v",
    "interval": "select interval 1 month as v",
    "bytes": "select '\\xFF\\x00'::blob as v",
    "bits": "select '101'::bit as v",
    "bignum": "select 1::bignum as v",
    "union": "select union_value(a := 1) as v",
    "map": "select map {[1]: {'a': 2}} as v",
    "huge": "select 170141183460469231731687303715884105727::hugeint as v",
    "no number": "select 'nan'::double as v, '-inf'::double as w",
    "null": "select null as v",
    "enum": "select 'a'::enum('a', 'b') as v",
    "uuid": "select '00000000-0000-0000-0000-000000000000'::uuid as v",
    "time of day": "select '12:00:00+02'::timetz as v, time '12:00:00.5' as w",
    "nul": "select chr(0) || 'x' as v",
    "json": """select '{"a": [1]}'::json as v""",
}


def test_values_of_every_kind_can_be_printed(published: Workspace) -> None:
    """Beside each other as text; one by one in a Parquet file, which can't hold some of them."""
    beside = ", ".join(f'({sql}) as "value {number}"' for number, sql in enumerate(VALUES.values()))

    def shown(distill: Distill, kind: str) -> None:
        done = passed(query(distill, published, f"select * from {beside}", "--format", kind))
        assert done.out and "b'" not in done.out, f"{kind}: {done.text}"

    def kept(distill: Distill, name: str) -> None:
        done = query(distill, published, VALUES[name], "--format", "parquet", "--output", f"{name}.parquet")
        assert done.code == 0 or refused(done, 2)

    each(shown, ("table", "csv", "json", "jsonl"))
    each(kept, VALUES)


def test_columns_of_the_same_name_are_not_lost(published: Workspace, distill: Distill) -> None:
    for kind in ("json", "jsonl"):
        done = query(distill, published, "select 12345 as a, 67890 as a", "--format", kind)
        if done.code == 0:
            assert "12345" in done.out and "67890" in done.out
        else:
            refused(done, 2, "a")


def count(distill: Distill, workspace: Workspace, *options: str) -> int:
    done = passed(query(distill, workspace, "select count(*) as n from evidence.records", "--format", "json", *options))
    return int(json.loads(done.out)[0]["n"])


def test_as_of(published: Workspace, distill: Distill) -> None:
    first, second, third = published.warehouse.snapshots()
    named = {
        "latest": 6,
        "last-good": 6,
        "0 runs ago": 6,
        "1 run ago": 5,
        "2 runs ago": 4,
        first.run_id: 4,
        second.run_id: 5,
        third.run_id: 6,
        second.published_at.isoformat(): 5,
        second.published_at.replace(tzinfo=None).isoformat(): 5,
        (second.published_at - timedelta(microseconds=1)).isoformat(): 4,
        "2999-01-01": 6,
    }
    assert {when: count(distill, published, "--as-of", when) for when in named} == named
    assert count(distill, published) == 6
    before = "select (select count(*) from raw.lines), (select count(*) from ops.runs)"
    assert (
        passed(query(distill, published, before, "--format", "csv", "--as-of", first.run_id))
        .out.splitlines()[1]
        .startswith("4,")
    )


NO_RUN = (
    "",
    "3 runs ago",
    "-1 runs ago",
    "1999-01-01",
    "2026-13-01",
    "nobody",
    "x'; drop table raw.lines; --",
    "../x",
    "\n",
    "\udcff",
)
LONG = ("9" * 30 + " runs ago", "9" * 5000 + " runs ago", "x" * 50_000)


def test_as_of_no_run(published: Workspace) -> None:
    newest = published.warehouse.snapshot().run_id

    def work(distill: Distill, when: str) -> None:
        refused(query(distill, published, "select 1", "--as-of", when), 2, newest)

    each(work, (*NO_RUN, *LONG))


GOOD = (
    "from raw.lines",
    "values (1)",
    "with a as (select 1 as b) select * from a",
    "describe raw.lines",
    "summarize scored.runs",
    "explain select * from raw.lines",
    "explain analyze select 1",
    "select 1; -- and a comment",
    "-- first a comment\nselect 1",
)


def test_what_reads_is_run(published: Workspace) -> None:
    def work(distill: Distill, sql: str) -> None:
        assert passed(query(distill, published, sql)).out

    each(work, GOOD)


BAD = (
    "",
    "  ",
    "-- nothing",
    "select 1; select 2",
    "select 1; drop table raw.lines",
    "drop view raw.lines",
    "create table x as select 1",
    "create view x as select 1",
    "insert into raw.lines select * from raw.lines",
    "delete from raw.lines",
    "update raw.lines set line = ''",
    "copy (select 1) to '{}'",
    "copy raw.lines to '{}'",
    "explain analyze copy (select 1) to '{}'",
    "explain analyze create table x as select 1",
    "/* a comment */ explain analyze copy (select 1) to '{}'",
    "-- a comment\nexplain analyze copy (select 1) to '{}'",
    "explain /* a comment */ analyze copy (select 1) to '{}'",
    "explain (analyze, format json) copy (select 1) to '{}'",
    "EXPLAIN\nANALYZE\nCOPY (select 1) to '{}'",
    "; explain analyze copy (select 1) to '{}'",
    "export database '{}'",
    "attach '{}' as x",
    "set threads = 1",
    "install httpfs",
    "load httpfs",
    "call pragma_version()",
    "prepare x as select 1",
    "begin",
    "checkpoint",
    "use raw",
    "vacuum",
    "select",
    "select 1 +",
    "select * from nowhere",
    "select nothing from raw.lines",
    "select 'x'::int",
    "select error('boom')",
    "select '\udcff'",
    "select * from query('drop view raw.lines')",
)


def test_what_does_more_than_read_is_refused(published: Workspace, tmp_path: Path) -> None:
    def work(distill: Distill, sql: str) -> None:
        target = tmp_path / f"written {BAD.index(sql)}"
        refused(query(distill, published, sql.replace("{}", str(target))), 2)
        assert not target.exists()

    each(work, BAD)

"""`distill sql`: one select, at any published state, in any format; and nothing but a select."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from deltalake import DeltaTable

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


SHAPES = {
    "[row(1, 'x'), row(2, null)]": [[1, "x"], [2, None]],
    "row(row(1), {'a': row(2)})": [[1], {"a": [2]}],
    "map {'k': row(timestamp '2026-01-02 03:04:05')}": {"k": ["2026-01-02T03:04:05"]},
    "[timestamp '2026-01-02 03:04:05']::timestamp[1]": ["2026-01-02T03:04:05"],
    "union_value(at := timestamp '2026-01-02 03:04:05')": {"at": "2026-01-02T03:04:05"},
    "{'a': 'nan'::double, 'b': ['-inf'::float, 1], 'c': 'NaN, inf'}": {"a": None, "b": [None, 1.0], "c": "NaN, inf"},
    "null::struct(a timestamp)": None,
    """'{"a":\n[1]}'::json""": {"a": [1]},
}


def test_nested_values_in_json(published: Workspace, distill: Distill) -> None:
    selected = ", ".join(f"{value} as c{number}" for number, value in enumerate(SHAPES))
    (line,) = passed(query(distill, published, f"select {selected}", "--format", "jsonl")).out.splitlines()
    assert list(json.loads(line).values()) == list(SHAPES.values())
    for kind in ("table", "csv"):
        assert passed(query(distill, published, f"select {selected}", "--format", kind)).out


@pytest.mark.parametrize("beside", ["plain", "NaN guard", "Infinity", '"inf', "\\inf", "é\\nnan"])
def test_numbers_in_json_are_exact_whatever_stands_beside_them(published: Workspace, distill: Distill, beside: str) -> None:
    numbers = {
        "1234567.123456789012345678::decimal(38,18)": "1234567.123456789012345678",
        "170141183460469231731687303715884105727::hugeint": "170141183460469231731687303715884105727",
        "340282366920938463463374607431768211455::uhugeint": "340282366920938463463374607431768211455",
        "'99999999999999999999999999999999999999999999'::bignum": "99999999999999999999999999999999999999999999",
    }
    fields = ", ".join(f"'n{number}': {value}" for number, value in enumerate(numbers))
    sql = f"select {{'note': '{beside}', 'nan': 'nan'::double, {fields}}} as r, {', '.join(numbers)}"
    out = passed(query(distill, published, sql, "--format", "json")).out
    for written in numbers.values():
        assert re.findall(rf"[:,\[ ]{re.escape(written)}[,}}\]]", out)
    assert json.loads(out)[0]["r"]["note"] == beside


FALSIFIED = {
    "h": "340282366920938463463374607431768211455::uhugeint",
    "too long": "-100000000000000000000000000000000000000::hugeint",
    "deep": "{'a': [200000000000000000000000000000000000000::uhugeint]}",
    "big": "'1'::bignum",
    "bits": "'101'::bit",
    "span": "interval 1 month",
    "offset": "'12:00:00+02'::timetz",
    "one of": "union_value(a := 1)",
    "any": "1::variant",
    "unnamed": "row(1, 2)",
    'quo"ted': "[row(1)]",
}


def test_what_parquet_would_falsify_is_refused(published: Workspace, tmp_path: Path) -> None:
    """The message names the column, and what it says to select instead can be written."""

    def work(distill: Distill, name: str) -> None:
        column = '"' + name.replace('"', '""') + '"'
        path = tmp_path / f"{list(FALSIFIED).index(name)}.parquet"
        target = ("--format", "parquet", "--output", str(path))
        done = refused(query(distill, published, f"select 1 as a, {FALSIFIED[name]} as {column}", *target), 2, column)
        assert not path.exists()
        way_out = done.err.split("`")[1].removeprefix("select ")
        passed(query(distill, published, f"select {way_out} from (select {FALSIFIED[name]} as {column})", *target))
        assert pyarrow.parquet.read_table(path).column_names == [name]

    each(work, FALSIFIED)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".parquet"] * len(FALSIFIED)


def test_numbers_that_parquet_can_carry(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    most = 10**38 - 1
    sql = f"select {most}::uhugeint as u, {-most}::hugeint as h, sum(i) as s, 'a'::enum('a') as e from range(9) t(i)"
    passed(query(distill, published, sql, "--format", "parquet", "--output", str(path)))
    assert pyarrow.parquet.read_table(path).to_pylist() == [{"u": most, "h": -most, "s": 36, "e": "a"}]


def test_output_to_what_is_no_plain_file(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    def written(*target: str) -> Done:
        return query(distill, published, "select 1 as a", "--format", "csv", "--output", *target)

    expected = b'"a"\n1\n'
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("real.csv")
    (tmp_path / "dangling.csv").symlink_to("made.csv")
    for name, leads_to in (("link.csv", "real.csv"), ("dangling.csv", "made.csv")):
        passed(written(str(tmp_path / name)))
        assert (tmp_path / name).is_symlink() and (tmp_path / leads_to).read_bytes() == expected
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        passed(written(str(tmp_path / "pipe")))
        assert read.result() == expected
    assert (tmp_path / "pipe").is_fifo()
    assert passed(written("/dev/stdout")).out == expected.decode()
    assert written("/dev/stderr").err == expected.decode()
    passed(written("/dev/null"))
    assert Path("/dev/null").is_char_device()
    refused(written("/dev/full"), 3, "/dev/full", "No space left")
    (tmp_path / "circle").symlink_to("circle")
    refused(written(str(tmp_path / "circle")), 2, "circle")
    refused(written(str(published.settings.warehouse / "x.csv")), 2, "inside of the warehouse")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_without_write_rights_is_not_replaced(published: Workspace, distill: Distill, tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("kept")
    (tmp_path / "kept.csv").chmod(0o444)
    options = ("sql", "select 1", "--format", "csv", "--output", str(tmp_path / "kept.csv"))
    refused(run_in(distill, published, *options, mortal=True), 3, "kept.csv: Permission denied")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_terminal(published: Workspace, encoding: str) -> None:
    command = [sys.executable, "-m", "pipeline", "sql", "select 'é漢' as \"ü\", 1 as b"]
    environment = published.environment() | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = "\\u00e9\\u6f22" if encoding == "ascii" else "é漢"
    assert done.stdout.split()[2] == shown.encode(encoding, "backslashreplace")


def test_a_long_result_as_a_table(published: Workspace, distill: Distill) -> None:
    sql = "select i, 'é ' || i as t, case when i = 5 then 'two\nlines' end as l from range(100000) t(i)"
    lines = passed(query(distill, published, sql)).out.splitlines()
    assert len(lines) == 100_002
    shown = ["    4  é 4", "    5  é 5      two", "                lines", "    6  é 6"]
    assert [line.rstrip() for line in lines[5:9]] == shown


def test_columns_of_the_same_name_are_not_lost(published: Workspace, distill: Distill) -> None:
    for kind in ("json", "jsonl"):
        done = passed(query(distill, published, "select 1 as a, 2 as a, 3 as a_1", "--format", kind))
        assert '{"a":1,"a_1":2,"a_1_1":3}' in done.out
    refused(query(distill, published, "select 1 as a, 2 as a", "--format", "parquet", "--output", "x.parquet"), 2, "called a")


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
    "; select 'é' /* ü; */ -- ö",
    "/* é */ explain -- ü\n analyze select 'é'",
    "explain (analyze, format json) select 1",
    "explain (select 1)",
    "show all tables",
    "pivot (select 1 as a, 2 as b) on a in (1) using sum(b)",
    "with recursive r as (select 1 as a union all select a + 1 from r where a < 3) select * from r",
    "select * from duckdb_functions() limit 1",
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
    "explain analyze insert into raw.lines select * from raw.lines",
    "explain analyze /* é */ copy (select 1) to '{}'",
    "explain (format json, analyze) copy (select 1) to '{}' (write_empty_file false)",
    "explain analyze select * from enable_profiling()",
    "with gone as (delete from raw.lines returning *) select * from gone",
    "merge into raw.lines using raw.files on true when matched then delete",
    "truncate raw.lines",
    "comment on view raw.lines is 'x'",
    "create macro f(x) as x",
    "create temp table x as select 1",
    "create secret s (type s3)",
    "execute x",
    "deallocate x",
    "detach memory",
    "attach ':memory:' as x",
    "import database '{}'",
    "pragma import_database('{}')",
    "pragma enable_profiling",
    "reset threads",
    "set variable x = 1",
    "update extensions",
    "force checkpoint",
    "analyze",
    # Selects for DuckDB's parser, but not without effects.
    "select * from enable_logging(storage = 'file', storage_path = '{}')",
    "select (select count(*) from system.main.enable_profiling(save_location = '{}.txt'))",
    "select * from query('select * from disable_logging()')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from checkpoint()",
    # Files beyond the tables, secrets and variables of ours.
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/etc/*')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from read_csv('/dev/stdin')",
    "select * from parquet_metadata('{}')",
    "select * from read_duckdb('{}')",
    "select * from 'http://localhost:1/x.csv'",
    "select * from duckdb_secrets()",
    "select getenv('HOME')",
    "select * from engine",
    "select $1",
)


def files_of(workspace: Workspace) -> dict[str, bytes]:
    """Returns every file of a warehouse and its exports, but for the notes of who reads."""
    folders = (workspace.settings.warehouse, workspace.settings.exports)
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file() and ".readers" not in path.parts)
    return {str(path): path.read_bytes() for path in found}


def test_what_does_more_than_read_is_refused(published: Workspace, tmp_path: Path) -> None:
    def work(distill: Distill, sql: str) -> None:
        target = tmp_path / f"written {BAD.index(sql)}"
        done = refused(query(distill, published, sql.replace("{}", str(target))), 2)
        assert not target.exists()
        assert len(done.err.splitlines()) == 1, done.err

    before = files_of(published)
    each(work, BAD)
    assert files_of(published) == before
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_table_can_be_read_and_not_written(published: Workspace) -> None:
    """It is one of the few files that DuckDB may open."""
    (file, *_) = DeltaTable(str(published.settings.warehouse / "exports/sft")).file_uris()
    writing = (
        f"copy (select 'poison' as response) to '{file}' (format parquet, use_tmp_file false)",
        f"explain analyze copy (select 'poison' as response) to '{file}' (format parquet, use_tmp_file false)",
        f"/* {'é' * 40} */ explain analyze copy (select 'poison' as a) to '{file}' --{'x' * 60} explain select 1",
        f"select * from enable_logging(storage = 'file', storage_path = '{file}')",
        f"select * from enable_profiling(format = 'json', save_location = '{file}')",
        f"attach '{file}' as x",
    )
    before = files_of(published)

    def work(distill: Distill, sql: str) -> None:
        refused(query(distill, published, sql), 2)

    each(work, writing)
    with borrowed() as distill:
        passed(query(distill, published, f"select * from read_parquet('{file}')"))
    assert files_of(published) == before

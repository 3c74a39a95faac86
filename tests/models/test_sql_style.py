"""The models speak the portable subset that sql/README.md lists, and look as that page says. Its lists are the lists here."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ErrorLevel

from pipeline import models
from pipeline.engine import Engine
from pipeline.export.corpora import EXPORTS
from pipeline.models import Model, tables
from pipeline.models.parsing import DIALECT

SQL = Path(__file__).parent.parent.parent / "sql"
PAGE = (SQL / "README.md").read_text(encoding="utf-8")
LIBRARY = models.load([SQL])
FUNCTIONS = LIBRARY.functions
MODELS = [model for name, model in sorted(LIBRARY.models.items()) if model is not FUNCTIONS]
MACROS = frozenset(re.findall(r"create macro (\w+)\(", FUNCTIONS.sql))
WIDTH = 128

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


@cache
def listed(heading: str) -> tuple[str, ...]:
    """The code spans below a heading of sql/README.md; of a table, those of its first column."""
    (section,) = re.findall(rf"^###? {heading}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("|")][2:]
    text = "\n".join(rows) if rows else section
    return tuple(re.findall(r"`([^`]+)`", text))


@cache
def allowed(inside_fence: bool) -> frozenset[str]:
    words = set(listed("Words")) | {"group by", "order by", "partition by"}
    words |= {word for phrase in words if not phrase.endswith(" by") for word in phrase.split()}
    words |= {*listed("Operators"), *listed("Types")}
    return frozenset(words | set(listed("Behind the fence")) if inside_fence else words)


def spoken(sql: str, trees: list[exp.Expr]) -> Iterator[tuple[str, bool]]:
    """Yields every token that is no name and no literal, as it is written, and whether a bracket follows it."""
    names = {name.meta["start"] for tree in trees for name in tree.find_all(exp.Identifier) if "start" in name.meta}
    tokens = sqlglot.tokenize(sql, read=DIALECT)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.start not in names and token.token_type not in (TokenType.STRING, TokenType.NUMBER):
            bracket = following is not None and following.token_type is TokenType.L_PAREN
            yield " ".join(sql[token.start : token.end + 1].split()), bracket


def unknown_words(sql: str, trees: list[exp.Expr], inside_fence: bool = False) -> Iterator[str]:
    functions = {*listed("Functions"), *MACROS}
    for word, bracket in spoken(sql, trees):
        if word not in allowed(inside_fence) and not (bracket and word in functions):
            yield f"`{word}{'(' if bracket else ''}` is not on the list of what is allowed"


def layout(sql: str, width: int = WIDTH) -> Iterator[str]:
    if not sql.endswith("\n") or sql.endswith("\n\n"):
        yield "ends without one newline"
    for number, line in enumerate(sql.splitlines(), 1):
        if len(line) > width or line != line.rstrip() or "\t" in line:
            yield f"line {number} is too long, or ends in white space, or has a tab"
        if (len(line) - len(line.lstrip())) % 4:
            yield f"line {number} is not indented by fours"
        if line.lstrip().startswith(","):
            yield f"line {number} begins with a comma"


def lower_case(sql: str) -> Iterator[str]:
    for token in sqlglot.tokenize(sql, read=DIALECT):
        written = sql[token.start : token.end + 1]
        if token.token_type is not TokenType.STRING and written != written.lower():
            yield f"`{written}` is not lower case"


def header(model: Model) -> Iterator[str]:
    if not model.title.endswith((".", "?")):
        yield "the header does not begin with a sentence"
    if [key for key, _ in model.header] != ["grain", "version"] + ["stage"] * (model.room == "checks") or not model.grain:
        yield "the header needs grain and version, in a check then stage, and nothing else"
    lines = model.sql.splitlines()
    comments = [number for number, line in enumerate(lines) if line.lstrip().startswith("--")]
    if comments != list(range(len(comments))) or lines[len(comments)]:
        yield "comments stand in the header, and an empty line after it"


def structure(sql: str, query: exp.Query) -> Iterator[str]:
    tokens = sqlglot.tokenize(sql, read=DIALECT)
    yield from _stars(query)
    yield from _aliases(query, tokens)
    for node in query.walk():
        if isinstance(node, exp.Group) and not _is_named(node):
            yield "group by needs names, or expressions over them"
        if isinstance(node, exp.Ordered) and not isinstance(node.this, exp.Column):
            yield "order by needs the names of columns"
        if isinstance(node, (exp.SetOperation, exp.Distinct)) and (node.args.get("by_name") or node.args.get("on")):
            yield "neither `by name` nor `distinct on`"
        if isinstance(node, exp.Join):
            yield from _join(node)
        if isinstance(node, exp.Window) and not _is_total(node):
            yield "a window needs an order that ends in a row key"


def _is_named(group: exp.Group) -> bool:
    return not group.args.get("all") and all(key.find(exp.Column) for key in group.expressions)


def _stars(query: exp.Query) -> Iterator[str]:
    for star in query.find_all(exp.Star):
        select = star.parent
        if not isinstance(select, exp.Count) and not (isinstance(select, exp.Select) and _adds_columns(select, star)):
            yield "`*` is for a CTE that adds columns to one table"


def _adds_columns(select: exp.Select, star: exp.Star) -> bool:
    is_plain = select.expressions[0] is star and not any(star.args.values())
    return is_plain and isinstance(select.parent, exp.CTE) and not select.args.get("joins")


def _aliases(query: exp.Query, tokens: list[Token]) -> Iterator[str]:
    before = {token.start: previous for previous, token in zip([None, *tokens], tokens, strict=False)}
    for node in query.find_all(exp.Alias, exp.TableAlias):
        name = node.args["alias"] if isinstance(node, exp.Alias) else node.this
        if isinstance(name, exp.Identifier) and not isinstance(node.parent, exp.CTE):
            previous = before[name.meta["start"]]
            if previous is None or previous.token_type is not TokenType.ALIAS:
                yield f"the alias {name.name} lacks `as`"
    for select in query.find_all(exp.Select):
        if any(not isinstance(e, (exp.Alias, exp.Column, exp.Star)) for e in select.expressions):
            yield "an expression without a name"


def _join(join: exp.Join) -> Iterator[str]:
    side, kind = join.side.lower(), join.kind.lower()
    if (side, kind) not in {("", "inner"), ("left", ""), ("full", "outer"), ("", "cross")}:
        yield "a join is `inner`, `left`, `full outer` or `cross`"
    if kind != "cross" and not join.args.get("on"):
        yield "a join needs `on`"


def _is_total(window: exp.Window) -> bool:
    if window.args.get("order") is None:
        return False
    ordered = {column.name for column in window.args["order"].find_all(exp.Column)}
    parted = {part.name for part in window.args.get("partition_by") or () if isinstance(part, exp.Column)}
    keys = [set(key.split(", ")) for key in listed("Row keys")]
    return any(key <= ordered | parted and key & ordered for key in keys)


def findings(model: Model) -> list[str]:
    """Everything that is wrong with a model."""
    query = model.query
    found = [*layout(model.sql), *lower_case(model.sql), *header(model), *structure(model.sql, query)]
    return [*found, *unknown_words(model.sql, [query])]


@each_model
def test_model_keeps_to_the_page(model: Model) -> None:
    assert findings(model) == []


@each_model
def test_spark_can_say_it(model: Model) -> None:
    """Nothing outside of the fence is foreign to sqlglot, and it knows Spark's word for all of it."""
    foreign = {call.name for call in model.query.find_all(exp.Anonymous)} - MACROS
    assert not foreign, f"{foreign}: put a function around it into functions.sql"
    said = model.query.sql("spark", unsupported_level=ErrorLevel.RAISE, comments=False)
    assert isinstance(sqlglot.parse_one(said, dialect="spark"), exp.Query)


@each_model
def test_round_trip_keeps_the_meaning(model: Model, engine: Engine) -> None:
    """What sqlglot writes is to DuckDB the same query: the models of streams run after such a trip."""
    assert _tree(engine, model.query.sql(DIALECT, comments=False)) == _tree(engine, model.sql)


def _tree(engine: Engine, sql: str) -> Any:
    return _plain(json.loads(engine.value("select json_serialize_sql(?) as tree", [sql])))


def _plain(node: Any) -> Any:
    """DuckDB's tree of a query, with two ways to write the same made one: `x is not null`, and `substr`."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    held = {key: _plain(value) for key, value in node.items() if key not in ("query_location", "schema")}
    if held.get("function_name") == "substring":
        held["function_name"] = "substr"
    if held.get("type") == "OPERATOR_NOT" and held["children"][0].get("type") == "OPERATOR_IS_NULL":
        return held["children"][0] | {"type": "OPERATOR_IS_NOT_NULL", "alias": held["alias"]}
    return held


def test_functions_stay_behind_the_fence() -> None:
    trees = [tree for tree in sqlglot.parse(FUNCTIONS.sql, dialect=DIALECT) if tree is not None]
    assert list(unknown_words(FUNCTIONS.sql, trees, inside_fence=True)) == []
    assert set(listed("Behind the fence")) <= {word for word, _ in spoken(FUNCTIONS.sql, trees)}, "no longer used"
    assert [*layout(FUNCTIONS.sql), *lower_case(FUNCTIONS.sql)] == []


def test_the_page_shows_a_model_as_it_is() -> None:
    assert f"```sql\n{LIBRARY['evidence/outcomes'].sql}```\n" in PAGE


def test_the_page_names_every_function() -> None:
    named = {name.split("(")[0] for name in listed("The functions")}
    parts = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("`utc_from_epoch`") : PAGE.index("are the parts of `utc`")]))
    assert named | parts == MACROS


@pytest.mark.parametrize("path", sorted((SQL / "tables").glob("*.sql")), ids=lambda path: path.stem)
def test_tables_say_what_every_column_means(path: Path) -> None:
    table = tables.read_table(path)
    assert table.title.endswith(".") and table.grain
    assert [column.name for column in table.columns] == table.schema.names
    assert all(column.meaning for column in table.columns)
    text = path.read_text(encoding="utf-8")
    # A column stands on one line with what it means, however long that is.
    assert [*layout(text, width=1000), *lower_case(text)] == []


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_corpora_are_sorted_by_id(export: Any) -> None:
    order = LIBRARY[f"exports/{export.name}"].query.args.get("order")
    assert order is not None and order.expressions[-1].this.name == "id"


OFFENCES = {
    "select *": "select * from t",
    "* exclude": "with u as (select * exclude (a) from t) select u.b from u",
    "group by 1": "select a, max(b) as b from t group by 1",
    "group by all": "select a, max(b) as b from t group by all",
    "order by 1": "select a from t order by 1",
    "order by": "select row_number() over (partition by a order by b) as n from t",
    "limit": "select a from t order by a limit 5",
    "random()": "select a from t where random() < 0.5",
    "now()": "select now() as a from t",
    "json_array_length(x, path)": "select json_array_length(a, '$.b') as n from t",
    "len(list)": "select len(a) as n from t",
    "list(x order by y)": "select list(a order by b) as a from t",
    "count_if": "select count_if(a) as n from t",
    "distinct on": "select distinct on (a) a from t",
    "union by name": "select a from t union all by name select a from u",
    "qualify": "select a from t qualify row_number() over (order by id) = 1",
    "x::bigint": "select a::bigint as a from t",
    "using": "select a from t inner join u using (a)",
    "a table or column alias without `as`": "select a b from t",
    "a comma between tables": "select t.a from t, u",
    "upper case": "SELECT a from t",
}


def test_every_offence_on_the_page_is_caught() -> None:
    (section,) = re.findall(r"^### Forbidden\n(.*?)^##", PAGE, re.DOTALL | re.MULTILINE)
    cells = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")][1:]
    assert {cell.split("`")[1] if cell.startswith("`") else cell for cell in cells} == set(OFFENCES)


@pytest.mark.parametrize("name", OFFENCES)
def test_offence_is_caught(name: str) -> None:
    good = _model("select a, row_number() over (partition by b order by source, sig_hash) as n from t")
    assert findings(good) == []
    assert findings(_model(OFFENCES[name]))


@pytest.mark.parametrize("head", ["-- Too short.\n-- version: 1\n", "-- grain: one row\n-- version: 1\n"])
def test_poor_header_is_caught(head: str, tmp_path: Path) -> None:
    path = tmp_path / "2_scored" / "poor.sql"
    path.parent.mkdir()
    path.write_text(f"{head}\nselect records.a from t as records\n")
    assert findings(models.read_model(path, tmp_path))


def _model(sql: str) -> Model:
    head = "-- A sentence.\n-- grain: one row\n-- version: 1\n\n"
    return Model("scored/a", "A sentence.", "one row", 1, head + sql + "\n", Path("a.sql"), (("grain", ""), ("version", "1")))

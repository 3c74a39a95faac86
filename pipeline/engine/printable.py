"""Values of every type of DuckDB in a form that can be printed: a number, a truth value, a text, or a text of JSON."""

from typing import NamedTuple

from duckdb.sqltypes import DuckDBPyType

from pipeline.engine.literals import quoted

# Types that are printed as they are, and types that are printed as JSON; all others are printed as text.
_PLAIN = {"boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "double"}
_NESTED = {"decimal", "hugeint", "uhugeint", "bignum", "list", "array", "struct", "map", "union"}


class PrintedColumn(NamedTuple):
    """A column of a result as it is printed."""

    name: str
    is_json: bool = False


def is_json(kind: DuckDBPyType) -> bool:
    """True for types whose values are printed as JSON."""
    return kind.id in _NESTED or str(kind) == "JSON"


def printable(value: str, kind: DuckDBPyType) -> str:
    """Returns an expression for a value of some type as it is printed."""
    if kind.id in _PLAIN:
        return value
    if kind.id == "float":
        return f"cast({value} as double)"
    if is_json(kind):
        return f"cast(to_json({_for_json(value, kind)}) as varchar)"
    return _as_text(value, kind)


def members(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Returns the types that a nested type is made of, by their names; none for one that is not nested."""
    if kind.id not in ("list", "array", "struct", "map", "union"):
        return []
    found = [(name, member) for name, member in kind.children if isinstance(member, DuckDBPyType)]
    return found[1:] if kind.id == "union" else found  # the first is its tag


def is_unnamed(kind: DuckDBPyType) -> bool:
    """True for a struct that is a row: its members have places, but no names."""
    return kind.id == "struct" and not any(name for name, _ in members(kind))


def _differs(kind: DuckDBPyType) -> bool:
    """True where DuckDB would write a value in JSON in another form than it is printed in."""
    return kind.id.startswith("timestamp") or is_unnamed(kind) or any(_differs(member) for _, member in members(kind))


def _for_json(value: str, kind: DuckDBPyType, depth: int = 0) -> str:
    """Returns a nested value in which times are texts, in the form that they are printed in elsewhere, and rows are lists."""
    if not _differs(kind):
        return value
    if not (parts := members(kind)):
        return _as_text(value, kind)
    item = f"item{depth}"
    if kind.id in ("list", "array"):
        return f"list_transform({value}, lambda {item}: {_for_json(item, parts[0][1], depth + 1)})"
    if kind.id == "map":
        (_, key), (_, held) = parts
        pair = f"{{'key': {_as_text(f'{item}.key', key)}, 'value': {_for_json(f'{item}.value', held, depth + 1)}}}"
        made = f"map_from_entries(list_transform(map_entries({value}), lambda {item}: {pair}))"
    elif kind.id == "union":
        cases = (_when(value, name, member, depth) for name, member in parts)
        return f"case cast(union_tag({value}) as varchar) {' '.join(cases)} end"
    elif is_unnamed(kind):
        places = (_for_json(f"struct_extract_at({value}, {n})", member, depth) for n, (_, member) in enumerate(parts, 1))
        made = f"[{', '.join(f'to_json({place})' for place in places)}]"
    else:
        fields = (f"{quoted(name)}: {_for_json(f'{value}[{quoted(name)}]', member, depth)}" for name, member in parts)
        made = f"{{{', '.join(fields)}}}"
    return f"case when {value} is not null then {made} end"


def _when(value: str, name: str, kind: DuckDBPyType, depth: int) -> str:
    held = _for_json(f"union_extract({value}, {quoted(name)})", kind, depth)
    return f"when {quoted(name)} then to_json({{{quoted(name)}: {held}}})"


def _as_text(value: str, kind: DuckDBPyType) -> str:
    text = f"cast({value} as varchar)"
    if kind.id == "timestamp with time zone":
        return f"replace(regexp_replace({text}, '\\+00$', 'Z'), ' ', 'T')"
    return f"replace({text}, ' ', 'T')" if kind.id.startswith("timestamp") else text

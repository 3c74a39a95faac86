"""What Arrow and Parquet can carry as it is. A value that would come out as another one is refused, not written."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from pipeline.engine.printable import is_unnamed, members
from pipeline.errors import UsageError

# Beyond this many digits, Arrow's numbers of 128 bits are others than DuckDB's; those without a sign become negative.
_DIGITS = 38
_HUGE = ("hugeint", "uhugeint")
# Parquet has no such types: it would keep the bytes that DuckDB holds them in, or drop a part, such as the offset of a time.
_NOT_IN_PARQUET = ("bignum", "bit", "geometry", "interval", "time with time zone", "union", "variant", "unknown")


def refuse_what_parquet_lacks(names: Sequence[str], kinds: Sequence[DuckDBPyType]) -> None:
    """Raises UsageError where a column's type is none that Parquet can carry."""
    for name, kind in zip(names, kinds, strict=True):
        if any(part.id in _NOT_IN_PARQUET or is_unnamed(part) for part in _parts(kind)):
            raise _refusal(name, f"Parquet has no type for {kind}")


def exact(names: Sequence[str], kinds: Sequence[DuckDBPyType], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yields batches of Arrow as they are. Raises UsageError where a number in them is not the one that DuckDB has."""
    huge = [place for place, kind in enumerate(kinds) if any(part.id in _HUGE for part in _parts(kind))]
    for batch in batches:
        for place in huge:
            for numbers in _numbers(batch.column(place)):
                if _overflowed(numbers, signed=all(part.id != "uhugeint" for part in _parts(kinds[place]))):
                    raise _refusal(names[place], f"Arrow and Parquet hold no whole number of more than {_DIGITS} digits")
        yield batch


def _refusal(name: str, why: str) -> UsageError:
    column = '"' + name.replace('"', '""') + '"'
    return UsageError(f"column {column} can't be written exactly: {why}; select `cast({column} as varchar) as {column}`")


def _parts(kind: DuckDBPyType) -> Iterator[DuckDBPyType]:
    """Yields a type and all that it is made of."""
    yield kind
    for _, member in members(kind):
        yield from _parts(member)


def _numbers(array: pa.Array) -> Iterator[pa.Array]:
    """Yields the decimals without a fraction in an array, however deep they are."""
    kind = array.type
    if pa.types.is_decimal(kind) and (kind.precision, kind.scale) == (_DIGITS, 0):
        yield array
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _numbers(part)
    elif pa.types.is_map(kind):
        yield from _numbers(array.keys)
        yield from _numbers(array.items)
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _numbers(array.flatten())
    elif pa.types.is_union(kind):
        for number in range(kind.num_fields):
            yield from _numbers(array.field(number))


def _overflowed(numbers: pa.Array, signed: bool) -> bool:
    import pyarrow.compute  # takes its time, and few results need it

    found = pyarrow.compute.min_max(numbers).as_py()
    if found["min"] is None:
        return False
    return bool(found["max"] >= 10**_DIGITS or found["min"] < (1 - 10**_DIGITS if signed else 0))

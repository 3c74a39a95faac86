"""What DuckDB refuses, told as what it is: damage, surroundings, or a mistake in SQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipeline.errors import DamageError, ModelError, WarehouseError, explained, is_of_surroundings

# What DuckDB says, under several classes of error, of a Parquet file that is not whole.
_DAMAGE = (
    "magic bytes",
    "TType",
    "TProtocolException",
    "Parquet",
    "parquet",
    "ZSTD",
    "decompress",
    "Out of buffer",
    "Failed to commit",
)


@contextmanager
def told(sql: str) -> Iterator[None]:
    """Raises what DuckDB raises inside as one of our errors, with the SQL where that is at fault."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        said = str(error).splitlines()[0]
        raise WarehouseError(
            f"DuckDB ran out of memory: {said}; next: give the same command with a higher `--memory-limit` (it is 2GB unless "
            "told), or with `--threads 1`; where the disk is full, free some for spilling"
        ) from error
    except duckdb.IOException as error:
        if is_of_surroundings(error):
            raise WarehouseError(f"a file of the warehouse can't be read or written: {explained(error)}") from error
        raise DamageError(f"can't be read: {explained(error)}") from error
    except duckdb.Error as error:
        # Decoders of Parquet raise the bare class; a mistake in SQL never does.
        refused = isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException)
        if type(error) is duckdb.Error or (not refused and any(sign in str(error) for sign in _DAMAGE)):
            raise DamageError(f"is damaged or can't be written: {explained(error)}") from error
        raise ModelError(f"DuckDB refused the SQL: {error}\n{sql[:2000]}") from error


def ran_out_of_memory(error: object) -> bool:
    """True for what DuckDB raises where its memory and the disk for spilling are full."""
    return isinstance(error, duckdb.OutOfMemoryException)


def gist(error: object) -> str:
    """Returns what DuckDB says of a reader's SQL on one line: what is wrong, and the line that it is in."""
    said, _, _ = str(error).partition("Stack Trace")
    lines = (line.strip() for line in said.splitlines())
    return " ".join(line for line in lines if line and line != "^")

"""The least that some parts of a run can take: each done alone, with nothing decided and nothing checked.

`python -m tools.bench_parts PART DATA PLACE TARGET`, after a full run of DATA into PLACE; `make bench PARTS=1` measures all.
Each part does what the contract asks for and no more, so that their sum is what no run of this machine can go below.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import duckdb
import orjson
from deltalake import DeltaTable

BLOCK = 8 * 1024 * 1024
CORPORA = {
    "rag": "rag/playbooks.jsonl",
    "sft": "sft/instruction_response.jsonl",
    "preference": "preference/chosen_rejected.jsonl",
}
TABLES = ("evidence/records", "scored/runs", *(f"exports/{name}" for name in CORPORA))
PARQUET = "format parquet, compression zstd, row_group_size 16384"


def hash_lines(data: Path, place: Path, target: Path) -> None:
    """Two hashes of every line: of its bytes, and of the row in canonical form."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(_hash_block, *zip(*_blocks(data), strict=True)))


def write_tables(data: Path, place: Path, target: Path) -> None:
    """The tables that are made of the lines, written to Parquet."""
    for table in TABLES:
        duckdb.sql(f"copy (select * from {_rows(place, table)}) to '{target / Path(table).name}.parquet' ({PARQUET})")


def write_files(data: Path, place: Path, target: Path) -> None:
    """The three corpora written to files, in the order of their ids."""
    for name in CORPORA:
        rows = _rows(place, f"exports/{name}")
        duckdb.sql(f"copy (select * from {rows} order by id) to '{target / name}.jsonl' (format json)")


def hash_files(data: Path, place: Path, target: Path) -> None:
    """The sha256 of these files."""
    for path in CORPORA.values():
        with (place / "exports" / path).open("rb") as stream:
            hashlib.file_digest(stream, "sha256")


def read_files(data: Path, place: Path, target: Path) -> None:
    """These files read back."""
    for path in CORPORA.values():
        file = place / "exports" / path
        duckdb.sql(f"select sum(hash(row)) from read_json('{file}', format = 'newline_delimited') as row").fetchall()


def make_ids(data: Path, place: Path, target: Path) -> None:
    """The sha256 of every text that a row of rag or sft has its id from."""
    for name, text in (("rag", "content"), ("sft", "instruction || response")):
        duckdb.sql(f"select max(sha256({text})) from {_rows(place, f'exports/{name}')}").fetchall()


PARTS: dict[str, Callable[[Path, Path, Path], None]] = {
    part.__name__: part for part in (hash_lines, write_tables, write_files, hash_files, read_files, make_ids)
}


def _rows(place: Path, table: str) -> str:
    files = ", ".join(f"'{file}'" for file in DeltaTable(str(place / "warehouse" / table)).file_uris())
    return f"read_parquet([{files}])"


def _blocks(data: Path) -> Iterator[tuple[Path, int, int]]:
    """Yields all of the lines as pieces of files."""
    for path in sorted(data.glob("*.jsonl")):
        size, place = path.stat().st_size, 0
        with path.open("rb") as stream:
            while place < size:
                stream.seek(min(place + BLOCK, size))
                stream.readline()
                yield path, place, stream.tell()
                place = stream.tell()


def _hash_block(path: Path, start: int, end: int) -> None:
    with path.open("rb") as stream:
        stream.seek(start)
        lines = stream.read(end - start).splitlines()
    for line in filter(None, lines):
        hashlib.sha256(line).hexdigest()
        hashlib.sha256(orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS)).hexdigest()


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[2:]]
    folders[-1].mkdir(exist_ok=True)
    PARTS[sys.argv[1]](*folders)

"""The fixture: files as agents write them, dirt and all, and beside every line what must become of it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

HERE = Path(__file__).parent
KNOWN_PATHS = HERE / "known_paths.txt"
PLANTED = HERE / "planted"


@dataclass(frozen=True)
class Fixture:
    """Streams by file name, and for each the words that say what every physical line of it is.

    A word is a category (the line becomes a record with that score), a reason to be skipped, `duplicate`, or one of
    `blank`, `partial_tail` and `unmapped`.
    """

    files: dict[str, bytes]
    expected: dict[str, list[str]]

    def write(self, folder: Path, files: list[str] | None = None) -> Path:
        """Writes the streams, or some of their files, below a folder and returns it."""
        for name in files if files is not None else self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # A file that is there stays, times and all, as it would between two runs.
            if not path.exists():
                path.write_bytes(self.files[name])
        return folder

    def lines(self) -> pa.Table:
        """Returns every physical line: its place, its hashes by the standard library alone, and what must become of it."""
        rows = [row for name, raw in sorted(self.files.items()) for row in _lines(name, raw, self.expected[name])]
        texts = ("source", "source_file", "line_sha256", "sig_hash", "expected")
        columns = [pa.field("line_offset", pa.int64()), *(pa.field(name, pa.string()) for name in texts)]
        return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def load() -> Fixture:
    """Reads the fixture that ships with the package."""
    root = HERE / "streams"
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.jsonl"))}
    words = {name: (HERE / "expected" / name).with_suffix(".txt").read_text(encoding="utf-8").split() for name in files}
    return Fixture(files, words)


def stream_of(name: str) -> str:
    """Returns the stream that a file belongs to."""
    return name.split("/")[0].removesuffix(".jsonl")


def _lines(name: str, raw: bytes, words: list[str]) -> list[dict[str, Any]]:
    lines = raw.split(b"\n")
    if not lines[-1]:
        lines.pop()
    bare = [line.removesuffix(b"\r") for line in lines]
    return [
        {
            "source": stream_of(name),
            "source_file": name,
            "line_offset": offset,
            "line_sha256": hashlib.sha256(line).hexdigest(),
            "sig_hash": _sig_hash(line),
            "expected": word,
        }
        for offset, (line, word) in enumerate(zip(bare, words, strict=True))
    ]


def _sig_hash(line: bytes) -> str | None:
    """Returns the hash of a row as anyone can recompute it; None where the line is no JSON object."""
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

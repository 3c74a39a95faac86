"""Hostile but plausible data directories: every rule of contracts sections 1-4 fires often, from few rows.

Same arguments, same bytes. What the directories are made of is in messy_pools.py.
"""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import zstandard

from .messy_pools import (
    BLANK_LINES,
    BLANKS,
    BROKEN_LINES,
    BROKEN_TIMES,
    COMMON,
    CONTENTS,
    FIELDS,
    INSTANTS,
    KNOWN_PATHS,
    LOOKS_BLANK,
    RUNS,
    STREAM_TIMES,
    TAILS,
    TASKS,
    WRONG,
    Pairs,
    Raw,
)

__all__ = ["KNOWN_PATHS", "write_messy"]


def write_messy(data_dir: Path, seed: int, rows: int) -> None:
    """Fill `data_dir` with about `rows` lines over all streams; the same arguments give the same bytes."""
    rng = random.Random(seed)
    lines: dict[str, list[bytes]] = {stream: [] for stream in STREAM_TIMES}
    seen: dict[str, list[Pairs]] = {stream: [] for stream in STREAM_TIMES}
    for _ in range(rows):
        stream = rng.choice(list(STREAM_TIMES))
        lines[stream].append(make_line(rng, stream, seen))
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "README.md").write_bytes(b"not a stream\n")
    (data_dir / "notes.json").write_bytes(b"{}\n")
    (data_dir / "empty_folder").mkdir(exist_ok=True)
    (data_dir / "empty_file.jsonl").write_bytes(b"")
    for stream, content in lines.items():
        write_stream(rng, data_dir, stream, content)


def make_line(rng: random.Random, stream: str, seen: dict[str, list[Pairs]]) -> bytes:
    """A line without newline: a row, an earlier row (maybe of another stream) written anew, dirt, blank."""
    kind = rng.random()
    if kind < 0.08:
        return rng.choice(BROKEN_LINES)
    if kind < 0.12:
        return rng.choice(BLANK_LINES)
    if seen[stream] and kind < 0.22:
        origin = rng.choice(list(STREAM_TIMES)) if rng.random() < 0.1 else stream
        return write_row(rng, rng.choice(seen[origin] or seen[stream]), plain=False)
    pairs = make_row(rng, stream)
    seen[stream].append(pairs)
    return write_row(rng, pairs, plain=rng.random() < 0.5)


def make_row(rng: random.Random, stream: str) -> Pairs:
    """A row of that stream as (key, value) pairs: mostly sound, each field sometimes missing or wrong."""
    row: dict[str, Any] = {STREAM_TIMES[stream]: rng.choice(INSTANTS[:8] if rng.random() < 0.6 else INSTANTS)}
    if rng.random() < 0.06:
        row[STREAM_TIMES[stream]] = rng.choice([*BROKEN_TIMES, None])
    if rng.random() < 0.75:
        row["task_id"] = rng.choice(TASKS)
    if rng.random() < 0.5:
        row["run_id"] = rng.choice(RUNS)
    for key, pool in FIELDS[stream].items():
        row[key] = rng.choice(pool)
        if rng.random() < 0.05:
            row[key] = rng.choice([*WRONG, *BLANKS, *LOOKS_BLANK])
    for key in rng.sample(list(COMMON), 3):
        row[key] = rng.choice(COMMON[key])
    if rng.random() < 0.02:
        row["deep"] = Raw("[" * 511 + "]" * 511) if rng.random() < 0.7 else Raw("[" * 512 + "]" * 512)
    return [(key, value) for key, value in row.items() if rng.random() > 0.04]


def write_row(rng: random.Random, pairs: Pairs, plain: bool) -> bytes:
    """JSON text of the pairs; unless plain, in any order, spacing, escaping, and with keys said twice."""
    pairs = list(pairs)
    spaced = not plain and rng.random() < 0.5
    if not plain:
        rng.shuffle(pairs)
        if pairs and rng.random() < 0.3:
            key, _ = rng.choice(pairs)
            pairs.insert(0, (key, rng.choice([*WRONG, *CONTENTS[:3], *INSTANTS])))
        if pairs and rng.random() < 0.15:
            key, _ = rng.choice(pairs)
            pairs.append((key, rng.choice([*WRONG, *CONTENTS[:3], *INSTANTS])))
    gap = " " if spaced else ""
    members = [f"{write_key(rng, key, plain)}{gap}:{gap}{write_value(rng, value)}" for key, value in pairs]
    text = "{" + f"{gap},{gap}".join(members) + "}"
    return (f" \t{text} " if spaced and rng.random() < 0.3 else text).encode()


def write_key(rng: random.Random, key: str, plain: bool) -> str:
    """The key in quotes, sometimes with its last character escaped, as in "fi\\u006ce"."""
    if plain or not key.isascii() or rng.random() < 0.9:
        return json.dumps(key)
    return f'{json.dumps(key[:-1])[:-1]}\\u{ord(key[-1]):04x}"'


def write_value(rng: random.Random, value: Any) -> str:
    """JSON text; characters beyond ASCII escaped or not (a lone surrogate always is)."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {write_value(rng, v)}" for k, v in value.items()) + "}"
    text = json.dumps(value, ensure_ascii=False)
    surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(value) if surrogates or rng.random() < 0.5 else text


def write_stream(rng: random.Random, data_dir: Path, stream: str, lines: list[bytes]) -> None:
    """The lines as one file, as a packed file, or spread over a folder (and a file beside it)."""
    names = rng.choice(
        [
            [f"{stream}.jsonl"],
            [f"{stream}.jsonl"],
            [f"{stream}.jsonl.gz"],
            [f"{stream}.jsonl.zst"],
            [f"{stream}/part 1.jsonl", f"{stream}/part[2].jsonl", f"{stream}/2026/it's größe.jsonl.gz"],
            [f"{stream}.jsonl", f"{stream}/a/b/c.jsonl.zst", f"{stream}/A.jsonl"],
        ]
    )
    parts: list[list[bytes]] = [[] for _ in names]
    for line in lines:
        rng.choice(parts).append(line)
    for name, part in zip(names, parts, strict=True):
        content = b"".join(line + rng.choice([b"\n", b"\n", b"\n", b"\r\n"]) for line in part)
        path = data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(name, content + rng.choice(TAILS)))
        if "/" in name:
            (path.parent / "ignored.txt").write_bytes(b'{"ts": 0, "task_id": "t1"}\n')


def packed(name: str, content: bytes) -> bytes:
    """The content as its file name says, in two gzip members or zstd frames."""
    half = len(content) // 2
    if name.endswith(".gz"):
        return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)
    if name.endswith(".zst"):
        compressor = zstandard.ZstdCompressor()
        return compressor.compress(content[:half]) + compressor.compress(content[half:])
    return content

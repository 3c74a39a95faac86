"""Records lead back to their lines: to what landed, and to what stands in the source files now."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice, tee
from pathlib import Path
from typing import Any

from pipeline import advice
from pipeline.audit.context import Context
from pipeline.collect.lines import read_line
from pipeline.run import Run
from pipeline.trace import hashes
from pipeline.trace.physical import Physical, read_in_order

SAMPLE = 30
# So many lines of one file are named; the others are counted.
SHOWN = 5
Row = Mapping[str, Any]

_LANDED = """
    select sampled.source_file, sampled.line_offset, sampled.sig_hash, lines.line, lines.line_sha256
    from run.sampled as sampled
    left join raw.lines as lines
        on sampled.source_file = lines.source_file
        and sampled.line_offset = lines.line_offset
        and sampled.sig_hash = lines.sig_hash
"""
# Between the landing of a rewritten file and the next evidence, records are still those of the generation before.
_WRITTEN = """
    with landed as (
        select
            lines.source_file,
            lines.line_offset,
            lines.sig_hash,
            max(lines.generation) as generation,
            max_by(lines.line_sha256, lines.generation) as line_sha256
        from raw.lines as lines
        semi join run.sampled as sampled
            on sampled.source_file = lines.source_file
            and sampled.line_offset = lines.line_offset
            and sampled.sig_hash = lines.sig_hash
        group by lines.source_file, lines.line_offset, lines.sig_hash
    ),
    newest as (
        select source_file, max(generation) as generation
        from raw.files
        group by source_file
    )
    select
        landed.source_file,
        landed.line_offset,
        landed.sig_hash,
        landed.line_sha256,
        landed.generation < newest.generation as is_rewritten
    from landed
    inner join newest
        on landed.source_file = newest.source_file
    order by landed.source_file, landed.line_offset
"""


def provenance_sample(context: Context) -> list[str]:
    """Records lead back to landed lines and to lines of the source files, whose hashes come out the same when computed again.

    A source file that is gone is a warning: files are rotated away, and what landed from them is still held against its hashes.
    """
    run = context.run
    run.bind_now("raw.lines", "raw.files", "evidence.records")
    limit = "" if context.full else f"limit {SAMPLE}"
    run.engine.materialise(
        "run.sampled",
        f"select source_file, line_offset, sig_hash from evidence.records order by md5(sig_hash || source_file) {limit}",
    )
    found = list(_untrue(_rows(run, _LANDED)))
    gone: dict[str, int] = {}
    for name, rows in groupby(_rows(run, _WRITTEN), key=lambda row: str(row["source_file"])):
        found += _named(name, _changed(context.run.settings.data, name, rows, gone))
    if gone:
        context.warnings.append(_lost(context, gone))
    return found


def _rows(run: Run, query: str) -> Iterator[Row]:
    with run.engine.stream(query) as batches:
        for batch in batches:
            yield from batch.to_pylist()


def _untrue(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        place = f"{row['source_file']}:{row['line_offset'] + 1}"
        if row["line"] is None:
            yield f"{place}: there is no raw line with the record's sig_hash"
        elif hashlib.sha256(row["line"].encode()).hexdigest() != row["line_sha256"]:
            yield f"{place}: the line does not have the line_sha256 that is recorded"
        elif read_line(row["line"].encode(), row["line_offset"]).sig_hash != row["sig_hash"]:
            yield f"{place}: the line does not have the sig_hash that is recorded"


def _changed(data: Path, name: str, rows: Iterator[Row], gone: dict[str, int]) -> Iterator[str]:
    """Yields what is wrong with lines of one source file, in their order; counts those whose file is gone."""
    these, offsets = tee(row for row in rows if not row["is_rewritten"])
    # One at a time from each: neither the rows nor the lines of a large file are ever held all at once.
    for row, physical in zip(these, read_in_order(data, name, (row["line_offset"] for row in offsets)), strict=False):
        if physical.is_gone:
            gone[name] = gone.get(name, 0) + 1
        elif problem := _difference(row, physical):
            yield f"{physical.path}:{row['line_offset'] + 1}: {problem}"


def _difference(row: Row, physical: Physical) -> str:
    if physical.sha256 is None:
        return physical.problem
    if physical.sha256 != row["line_sha256"]:
        return (
            "the line is not the one that was landed; put the file back, or accept it with "
            f"`{advice.command('run-all', '--accept-rewrite')}`"
        )
    if physical.line is not None and hashes.sig_hash(physical.line, row["line_offset"]) != row["sig_hash"]:
        return "the line does not have the sig_hash of the record that was made from it"
    return ""


def _named(name: str, problems: Iterator[str]) -> list[str]:
    found = list(islice(problems, SHOWN))
    if more := sum(1 for _ in problems):
        found.append(f"{name}: {more:,} more lines are not those that were landed")
    return found


def _lost(context: Context, gone: Mapping[str, int]) -> str:
    named = ", ".join(islice(gone, SHOWN)) + (f" and {len(gone) - SHOWN:,} more" if len(gone) > SHOWN else "")
    total = context.run.engine.value("select count(*) as n from run.sampled")
    return (
        f"{sum(gone.values()):,} of {total:,} records were held against raw.lines alone: {named} "
        f"can't be found below {context.run.settings.data}; "
        "if nobody took the files away, name their folder with --data"
    )

"""What is said of a data directory: which files were passed over, and whether it is the folder that was meant."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from pipeline import advice
from pipeline.collect.landing import Landed
from pipeline.collect.sources import SUFFIXES, without_suffix

# So many files are named; the others are counted.
SHOWN = 5
ENDINGS = ", ".join(f"*{suffix}" for suffix in SUFFIXES)


def warnings_about(data: Path, landed: Landed, known: Collection[str]) -> list[str]:
    """Returns warnings about what lies below `data`; `known` are the streams that have a model."""
    said = []
    if not landed.files:
        said.append(f"{data}: holds no stream ({ENDINGS}), so nothing was landed; is it the right --data?")
    if landed.passed_over:
        said.append(f"{named(landed.passed_over)} below {data}: passed over; streams are files {ENDINGS}")
    if (meant := folder_meant(landed.files, known)) is not None:
        said.append(
            f"{data}: seems to be too high: streams with a model lie in {data / meant}; next: `{advice.run_on(data / meant)}`"
        )
    return said


def named(names: Sequence[str]) -> str:
    """Returns the first of some names, and how many there are more."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def folder_meant(files: Sequence[str], known: Collection[str]) -> str | None:
    """Returns the folder below the data directory in which the most streams lie that have a model; None where there is no
    such stream, or one stands where streams belong.

    >>> folder_meant(["_kb/audits.jsonl", "_kb/outcomes/1.jsonl"], {"audits", "outcomes"})
    '_kb'
    """
    streams: dict[str, set[str]] = defaultdict(set)
    for file in files:
        parts = PurePosixPath(file).parts
        names = [*parts[:-1], without_suffix(parts[-1])]
        place = next((depth for depth, name in enumerate(names) if name in known), None)
        if place == 0:
            return None
        if place is not None:
            streams["/".join(parts[:place])].add(names[place])
    return min(streams, key=lambda folder: (-len(streams[folder]), folder), default=None)

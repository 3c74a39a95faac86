"""What a check looks at, and where it leaves what is worth a word."""

from dataclasses import dataclass, field

from pipeline.run import Run
from pipeline.snapshots import Snapshot


@dataclass(frozen=True)
class Context:
    """The warehouse, locked, as it was published last.

    full:     all records are to be traced, not a sample
    warnings: where a check says what it could not look at, without failing for it
    """

    run: Run
    snapshot: Snapshot
    full: bool
    warnings: list[str] = field(default_factory=list)

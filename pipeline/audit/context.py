"""What a check looks at, and where it leaves what is worth a word."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.acceptance import Verdict
from pipeline.run import Run
from pipeline.store.snapshots import Snapshot


@dataclass(frozen=True)
class Context:
    """The warehouse, locked, as it was published last.

    full:     all records are to be traced, not a sample
    examined: the verdicts of the acceptance, where the caller has just looked
    warnings: where a check says what it could not look at, without failing for it
    """

    run: Run
    snapshot: Snapshot
    full: bool = False
    examined: Sequence[Verdict] | None = None
    warnings: list[str] = field(default_factory=list)

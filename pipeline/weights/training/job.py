"""What every trainer asks of the worker."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.weights import bases, worker
from pipeline.weights.interface import Parameters, Progress, Row, Trained


def trained(
    kind: str, base: Path | None, rows: Sequence[Row], parameters: Parameters, out: Path, progress: Progress, **more: str
) -> Trained:
    """Trains in a process of its own, and brings what it wrote to `out`: whole, or not at all."""
    parameters.refuse_odd()
    path = bases.named(base)
    job = {
        "kind": kind,
        "base": str(path),
        "base_sha256": bases.sha256_of(path),
        "rows": [asdict(row) for row in rows],
        "parameters": asdict(parameters),
        **more,
    }
    with worker.drafted(out) as draft:
        made = worker.run({**job, "out": str(draft)}, progress)
    return Trained(file=out, **made)

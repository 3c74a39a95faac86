"""`distill`, but what acceptance finds is remembered: it takes ten seconds each time and hangs on code and models alone.

tests/acceptance/test_acceptance.py holds what is remembered here. `python -m tests.support.remembering` is the command.
"""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import acceptance
from pipeline.acceptance import Verdict
from pipeline.settings import Settings

KEPT = "ACCEPTANCE_KEPT"


def remembering(examine: Callable[[Path | None], list[Verdict]]) -> Callable[[Path | None], list[Verdict]]:
    """Returns `examine` with a memory, in the folder that the environment names; without one, there is none."""

    def remembered(sql: Path | None = None) -> list[Verdict]:
        if KEPT not in os.environ:
            return examine(sql)
        paths = ((folder, path) for folder in Settings(sql=sql).sql_folders() for path in sorted(folder.rglob("*.sql")))
        texts = (f"{path.relative_to(folder)}\0{path.read_text(encoding='utf-8')}" for folder, path in paths)
        kept = Path(os.environ[KEPT], hashlib.sha256("\0".join(texts).encode()).hexdigest())
        if not kept.exists():
            with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as written:
                pickle.dump(examine(sql), written)
            Path(written.name).replace(kept)
        found: list[Verdict] = pickle.loads(kept.read_bytes())
        return found

    return remembered


def remember() -> None:
    """Makes this process remember."""
    acceptance.examine = remembering(acceptance.examine)


if __name__ == "__main__":
    from pipeline.cli import main

    remember()
    main(prog_name="distill")

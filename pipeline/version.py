"""Which distillery this is."""

import subprocess
from functools import cache
from pathlib import Path


def product_version() -> str:
    """Returns the version of the installed package."""
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and most commands do not ask

    try:
        return version("distillery")
    except PackageNotFoundError:
        return "0+unknown"


@cache
def git_sha() -> str | None:
    """Returns the commit of the checkout that this code runs from; None where it is installed otherwise."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None

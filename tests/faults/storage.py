"""File systems that fail: a tiny one of our own to fill, and folders that may not be written."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_DISK = "may not mount a tmpfs, also in a user namespace of its own"
KIB = 1024


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path | None]:
    """Yields a disk of three megabytes; None where this machine lets nobody mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full(disk: Path, kept_kib: int) -> Iterator[None]:
    """Leaves so much room on a disk, for as long as it lasts."""
    filler, space = disk / "filler", os.statvfs(disk)
    filler.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - kept_kib * KIB)))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)

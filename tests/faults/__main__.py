"""Runs pytest where it may mount file systems: as it is, or else in a user namespace of its own."""

import os
import shutil
import subprocess
import sys


def in_own_namespace(command: list[str]) -> list[str]:
    """Returns a command that may mount file systems as an ordinary user, where that can be had here."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    if _can_mount([]) or shutil.which(unshare[0]) is None or not _can_mount(unshare):
        return command
    return [*unshare, *command]


def _can_mount(prefix: list[str]) -> bool:
    script = 'folder=$(mktemp -d); mount -t tmpfs tmpfs "$folder" && umount "$folder"; code=$?; rmdir "$folder"; exit $code'
    return subprocess.run([*prefix, "sh", "-c", script], capture_output=True).returncode == 0


if __name__ == "__main__":
    tests = in_own_namespace([sys.executable, "-m", "pytest", *sys.argv[1:]])
    os.execvp(tests[0], tests)

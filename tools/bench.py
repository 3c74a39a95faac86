"""How long whole runs take beside the floor: DuckDB copying the same lines to Parquet, in one interleaved session.

`make bench` or `python -m tools.bench --bytes 300MB --rounds 3`. The data is seeded, so everybody measures the same.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench_parts import PARTS

FLOOR = (
    "import duckdb, sys; duckdb.sql(f\"copy (select * from read_ndjson_objects('{sys.argv[1]}/*.jsonl')) "
    "to '{sys.argv[2]}' (format parquet, compression zstd, row_group_size 16384)\")"
)
# The share of the lines that comes before each of many runs.
FEW = "0.001"


@dataclass(frozen=True)
class Cost:
    """What a command took.

    wall, cpu: seconds
    peak:      bytes that all its processes held at once
    """

    wall: float
    cpu: float
    peak: int


@dataclass
class Bench:
    """Folders of one session, and the costs measured in it."""

    root: Path
    data: Path
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def measure(self, name: str, *command: str) -> None:
        """Runs a command and keeps what it took. Raises CalledProcessError where it fails."""
        # What the command before left to be written would be written now, at the cost of this one.
        os.sync()
        before, started = os.times(), time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        watch = Watch(process.pid)
        code = process.wait()
        wall, after = time.perf_counter() - started, os.times()
        peak = watch.stop()
        if code:
            raise subprocess.CalledProcessError(code, command)
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        self.costs.setdefault(name, []).append(Cost(wall, cpu, peak))

    def distill(self, name: str, data: Path, place: Path) -> None:
        folders = {"warehouse": place / "warehouse", "exports": place / "exports", "reports": place / "reports"}
        options = [part for key, path in folders.items() for part in (f"--{key}", str(path))]
        self.measure(name, sys.executable, "-m", "pipeline", "run-all", "--data", str(data), *options)

    def round(self, number: int, runs: int, parts: bool) -> None:
        """One floor, one full run, one unchanged run, one run after 1 % more lines; then `runs`, each after a few lines.

        Its folders stay until all rounds are over: a file system that is just rid of many files is slow to make new ones.
        parts: what parts of the full run would take alone, too
        """
        data, place = self.root / f"data-{number}", self.root / f"place-{number}"
        shutil.copytree(self.data, data)
        self.measure("floor", sys.executable, "-c", FLOOR, str(data), str(self.root / "floor.parquet"))
        self.distill("full", data, place)
        for part in PARTS if parts else ():
            folders = (str(data), str(place), str(self.root / "parts"))
            self.measure(f"part of it alone: {part}", sys.executable, "-m", "tools.bench_parts", part, *folders)
        self.distill("unchanged", data, place)
        generate(data, "--append", "0.01", "--seed", str(number))
        self.distill("one percent more", data, place)
        for run in range(runs):
            generate(data, "--append", FEW, "--seed", f"{number}{run}")
            part = "first" if run < runs / 2 else "second"
            self.distill(f"a few lines more, {part} half of {runs} runs", data, place)
        if runs:
            self.distill(f"unchanged after {runs} runs", data, place)


class Watch(threading.Thread):
    """Looks every 50 ms at how much memory a process and its children hold (Linux; elsewhere it sees nothing)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._peak, self._ended = pid, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self._peak = max(self._peak, sum(resident(pid) for pid in family(self._pid)))

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self._peak


def family(pid: int) -> list[int]:
    """Returns a process and all below it."""
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def generate(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tools.sample", "--out", str(folder), *arguments], check=True, stdout=subprocess.DEVNULL
    )


def table(costs: dict[str, list[Cost]]) -> str:
    """Returns the medians, and their ratios to the floor and to the full run."""
    middle = {
        name: Cost(*(statistics.median(getattr(c, part) for c in kept) for part in ("wall", "cpu", "peak")))
        for name, kept in costs.items()
    }
    lines = [
        "| run | wall s | cpu s | peak MiB | wall / floor | wall / full |",
        "|---|---|---|---|---|---|",
    ]
    for name, cost in middle.items():
        to_floor, to_full = cost.wall / middle["floor"].wall, cost.wall / middle["full"].wall
        peak = cost.peak / 1024 / 1024
        lines.append(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {peak:.0f} | {to_floor:.2f} | {to_full:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", default="100MB", help="how much data, such as 100MB or 1GB")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each run is measured, for medians; each takes six times the data"
    )
    parser.add_argument("--runs", type=int, default=0, help="how many more runs, each after a few lines; medians of each half")
    parser.add_argument("--parts", action="store_true", help="measure what parts of a full run would take alone, too")
    parser.add_argument("--seed", default="7")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distill-bench-") as folder:
        bench = Bench(Path(folder), Path(folder) / "data")
        generate(bench.data, "--bytes", arguments.bytes, "--seed", arguments.seed)
        for number in range(arguments.rounds):
            bench.round(number, arguments.runs, arguments.parts)
    print(f"{arguments.bytes}, {arguments.rounds} rounds, {os.cpu_count()} cores, medians")
    print(table(bench.costs))


if __name__ == "__main__":
    main()

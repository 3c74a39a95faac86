"""Who judges what: the tasks of one block and the verdict records that each of them gets.

The counts are part of the sample's contract, so verdicts are dealt out, not drawn: mixed tasks first (they
make the preference pairs), and whatever is left goes to tasks whose records all agree.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from tools.sample.case import Case, open_cases
from tools.sample.corpus import NUMBER_MARK, SourceFile, source_files

SPAN_MS = 28 * 24 * 3_600_000
MINUTE_MS = 60_000
FIRST_SPRINT = 31

# Stream letter + outcome letter. S scrum_reviews, O observer_reviews, A audits, P auto_apply;
# a accepted, p partially accepted, r rejected, h left to a human.
TOTALS = Counter(
    {
        "Sa": 111,
        "Sp": 61,
        "Oa": 22,
        "Op": 3,
        "Or": 19,
        "Aa": 217,
        "Ap": 29,
        "Ar": 18,
        "Pa": 77,
        "Pr": 27,
        "Ph": 31,
    }
)

MIXED: tuple[tuple[int, str], ...] = (
    (6, "Sp Sa"),
    (3, "Sp Sa Sa"),
    (2, "Sp Sp Sa"),
    (7, "Or Sa"),
    (3, "Or Oa"),
    (2, "Or Sp Sa"),
    (7, "Pr Pa"),
    (3, "Pr Sa Pa"),
    (5, "Ar Aa"),
    (4, "Ap Aa"),
    (1, "Ar Ap Aa"),
    (1, "Or Sp Sp Sa Sa"),
    (1, "Op Sa"),
)

# Every fifth mixed task asks each of its agents in other words; the others ask all of them the same.
REWORDED_EVERY = 5

# Mixed tasks of these shapes carry no task_id at all: their records meet through the file or topic.
FALLBACK_EVERY = 6


@dataclass(frozen=True)
class Task:
    """A unit of work on one file; `ident` is None where the records only share the file (or audit topic)."""

    ident: str | None
    file: SourceFile
    cases: tuple[Case, ...]
    acts: tuple[str, ...]
    starts_ms: int
    number: int

    @property
    def asks_the_same(self) -> bool:
        """Whether all agents of this task are asked in the same words."""
        return self.is_contested() and self.number % REWORDED_EVERY != 0

    def asks(self, section: str, drawn: str | None) -> str | None:
        """What an agent is asked: the same as all others of its task, or what was drawn for it alone; None if it is unsaid."""
        if not self.asks_the_same:
            return drawn
        rng = Random(f"{section} {self.number} {self.starts_ms}")
        return self.cases[0].pick(section, rng) if rng.random() < 0.8 else None

    def outcomes(self) -> set[str]:
        """The outcome letters that extraction rows inherit from; those left to a human do not count."""
        return {act[1] for act in self.acts} - {"h"}

    def is_contested(self) -> bool:
        """Whether something was accepted and something was not, so that preference pairs come out."""
        return "a" in self.outcomes() and len(self.outcomes()) > 1


def plan_tasks(rng: Random) -> list[Task]:
    """All tasks of a block, ordered by start."""
    left = Counter(TOTALS)
    shapes = [tuple(shape.split()) for count, shape in MIXED for _ in range(count)]
    for shape in shapes:
        left.subtract(shape)
    groups = shapes + _agreeing(left, rng)
    rng.shuffle(groups)
    files = _FilePicker(rng)
    tasks = [_open_task(number, acts, rng, files) for number, acts in enumerate(groups)]
    return sorted(tasks, key=lambda task: (task.starts_ms, task.number))


def _agreeing(left: Counter[str], rng: Random) -> list[tuple[str, ...]]:
    """The remaining records in groups without a preference: all accepted, or none."""
    audits = ["Aa"] * (left["Aa"] - 50)
    accepted = _repeat(left, ("Sa", "Oa", "Pa")) + ["Aa"] * 50
    others = _repeat(left, ("Sp", "Op", "Or", "Ap", "Ar", "Pr"))
    undecided = ["Ph"] * left["Ph"]
    groups = _chunks(audits, (2, 3, 4, 5), rng) + _chunks(accepted, (1, 2, 2, 3, 4), rng)
    groups += _chunks(others, (1, 1, 2, 3), rng)
    for act in undecided:
        at = rng.randrange(len(groups))
        groups[at] = (act, *groups[at])
    return groups


def _repeat(left: Counter[str], acts: tuple[str, ...]) -> list[str]:
    return [act for act in acts for _ in range(left[act])]


def _chunks(acts: list[str], sizes: tuple[int, ...], rng: Random) -> list[tuple[str, ...]]:
    rng.shuffle(acts)
    chunks = []
    while acts:
        size = rng.choice(sizes)
        chunks.append(tuple(acts[:size]))
        acts = acts[size:]
    return chunks


class _FilePicker:
    """Deals files to tasks; a file that stands in for a task_id is dealt to no second such task."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._spare = list(source_files())
        rng.shuffle(self._spare)

    def any(self, needs_patch: bool) -> SourceFile:
        files = [file for file in source_files() if not needs_patch or file.kind != "testx"]
        return self._rng.choice(files)

    def only_once(self, needs_patch: bool) -> SourceFile | None:
        for at, file in enumerate(self._spare):
            if not needs_patch or file.kind != "testx":
                return self._spare.pop(at)
        return None


def _open_task(number: int, acts: tuple[str, ...], rng: Random, files: _FilePicker) -> Task:
    needs_patch = any(act.startswith("P") for act in acts)
    file = None
    if number % FALLBACK_EVERY == 0:
        file = files.only_once(needs_patch)
    named = file is None
    file = file or files.any(needs_patch)
    starts_ms = _working_hour(rng)
    sprint = sprint_at(starts_ms)
    all_audits = all(act.startswith("A") for act in acts)
    ident = f"AUD-{sprint}-{NUMBER_MARK}{number:03}" if all_audits else f"KG-{NUMBER_MARK}{1000 + number * 3}"
    return Task(ident if named else None, file, open_cases(file, rng, sprint), acts, starts_ms, number)


def sprint_at(at_ms: int) -> int:
    """The number of the two-week sprint at a time within the block."""
    return FIRST_SPRINT + at_ms * 2 // SPAN_MS


def _working_hour(rng: Random) -> int:
    """A start within the four weeks: mostly weekdays in the daytime, as a company's schedulers run."""
    day = rng.randrange(28)
    if day % 7 >= 5 and rng.random() < 0.7:
        day -= 2
    hour = rng.triangular(5, 22, 10) if rng.random() < 0.9 else rng.uniform(0, 24)
    return min(int((day * 24 + hour) * 60) * MINUTE_MS + rng.randrange(MINUTE_MS), SPAN_MS * 19 // 20)

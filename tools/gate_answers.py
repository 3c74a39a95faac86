"""How the gate decides on answers that are known to be good or bad: built from the sample, with one planted error each.

`make gate-table`, or `python -m tools.gate_answers`, writes the table into docs/replay.md; `--check` says whether it is stale.
Nothing is drawn by chance: the same sample gives the same answers.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.reader import Warehouse
from pipeline.replay import bundle
from pipeline.replay.evaluation import tasks_of
from pipeline.replay.gate import judge
from pipeline.reports.receipts import Receipt
from pipeline.runner import run_stages
from pipeline.search import opened
from pipeline.settings import Gates, Settings

PAGE = Path("docs/replay.md")
BEGIN, END = "<!-- Written by `make gate-table`. -->", "<!-- End of what `make gate-table` writes. -->"
TASKS = 16
Bundle = dict[str, Any]


class Made(NamedTuple):
    """An answer that was built: its kind, whether it is good, and what it answers."""

    kind: str
    is_good: bool
    task: str
    bundle: Bundle
    answer: str


class Silent:
    def stage(self, name: str) -> None: ...

    def advance(self, amount: int) -> None: ...

    def done(self, receipt: Receipt) -> None: ...


def sentences(content: str) -> list[str]:
    """Returns the sentences of a record that say something."""
    found = re.split(r"(?<=[.!?])\s+|\n+", content)
    return [
        text.strip() for text in found if 6 <= len(text.split()) <= 60 and not text.lstrip().startswith(("-", "+", "@", "#"))
    ]


def good(held: Bundle) -> list[tuple[str, str]]:
    """Returns two sentences of the best records, each with the id of its record."""
    shown = [record for record in held["records"] if record["content"] is not None and sentences(record["content"])]
    return [(sentences(record["content"])[0].rstrip("."), record["id"]) for record in shown[:2]]


def written(parts: list[tuple[str, str]]) -> str:
    return " ".join(f"{text} [{id}]." for text, id in parts)


def _with(extra: str) -> Callable[[list[tuple[str, str]]], str]:
    return lambda parts: f"{written(parts)} {extra}"


def _reworded(parts: list[tuple[str, str]]) -> str:
    """Says the same as a person would who sums up: other words around it, commas for full stops, the citations in brackets."""
    found = [f"{text.rstrip('.')}, as was seen before ({id})" for text, id in parts]
    return f"Before this goes in, mind two things from earlier work. First: {'. Second: '.join(found)}."


def _steps(held: Bundle, parts: list[tuple[str, str]]) -> str:
    return " ".join([written(parts), *(f"{step['step'].rstrip('.')} [{step['id']}]." for step in held["steps"][:2])])


PLANTED: dict[str, Callable[[list[tuple[str, str]]], str]] = {
    "empty": lambda parts: " \n",
    "too short": lambda parts: f"Fine [{parts[0][1]}].",
    "hedging": _with("I think that this is probably all, but it is hard to say."),
    "no citation": lambda parts: " ".join(f"{text}." for text, _ in parts),
    "fabricated path": _with("The rest is in workers/phantom_queue.py and needs no look."),
    "fabricated identifier": _with("Then call `drain_phantom_queue` before the release goes out."),
    "fabricated number": _with("Under load it settles within 8731 ms every time."),
    "fabricated quote": _with('The owner said "nobody touches the phantom queue on Fridays" about it.'),
    "fabricated citation": _with("The staging run showed the same [rag-00000000deadbeef]."),
    "fabricated code": _with("It closes ticket PHQ-4711 as well."),
}
NEGATIONS = (
    (" is ", " is not "),
    (" are ", " are not "),
    (" was ", " was not "),
    (" holds", " fails"),
    (" has ", " has no "),
    ("found none", "found many"),
)


def negated(parts: list[tuple[str, str]]) -> str:
    """Returns the answer with the opposite of its first claim: every token is right, and the sentence wrong."""
    text, id = parts[0]
    for old, new in NEGATIONS:
        if old in text:
            return written([(text.replace(old, new, 1), id), *parts[1:]])
    return written([(f"It is not the case that {text[0].lower()}{text[1:]}", id), *parts[1:]])


def swapped_number(held: Bundle, parts: list[tuple[str, str]]) -> str | None:
    """Returns the answer with a number of another record of the bundle in the place of its own."""
    own = [(place, found) for place, (text, _) in enumerate(parts) for found in re.findall(r"(?<![\w./-])\d+(?![\w/-])", text)]
    if not own:
        return None
    place, old = own[0]
    text, id = parts[place]
    here = next(record["content"] for record in held["records"] if record["id"] == id)
    others = " ".join(record["content"] or "" for record in held["records"] if record["id"] != id)
    new = next((number for number in re.findall(r"(?<![\w./-])\d+(?![\w/-])", others) if number not in here), None)
    if new is None:
        return None
    changed = [*parts]
    changed[place] = (re.sub(rf"(?<![\w./-]){old}(?![\w/-])", new, text, count=1), id)
    return written(changed)


def wrong_record(held: Bundle, parts: list[tuple[str, str]]) -> str | None:
    """Returns the answer with its citations exchanged: right sentences, credited to the wrong records."""
    if len(parts) < 2:
        return None
    (first, one), (second, two) = parts
    return written([(first, two), (second, one)])


def off_topic(held: Bundle, other: list[tuple[str, str]]) -> str:
    """Returns an answer about another unit that cites a record of this one, and makes no claim that can be looked up."""
    return f"Everything in this area was reviewed by the team and works as the owners want it to [{held['records'][0]['id']}]."


def built(bundles: list[tuple[str, Bundle]]) -> Iterator[Made]:
    for task, held in bundles:
        parts = good(held)
        if not parts:
            continue
        yield Made("good: sentences of records, cited", True, task, held, written(parts))
        yield Made("good: the same, reworded", True, task, held, _reworded(parts))
        if held["steps"]:
            yield Made("good: with steps of the checklist", True, task, held, _steps(held, parts))
        for kind, plant in PLANTED.items():
            yield Made(kind, False, task, held, plant(parts))
        wrong = {
            "plausible: claim negated": negated(parts),
            "plausible: number of another record": swapped_number(held, parts),
            "plausible: cites the wrong records": wrong_record(held, parts),
            "plausible: says nothing, politely": off_topic(held, parts),
        }
        for kind, answer in wrong.items():
            if answer is not None:
                yield Made(kind, False, task, held, answer)


def bundles_of(warehouse: Warehouse) -> list[tuple[str, Bundle]]:
    """Returns tasks with their bundles; those of units that have steps to verify come last, for most have none."""
    with opened(warehouse) as corpus:
        tasks = tasks_of(corpus, TASKS)
        rows = corpus.engine.rows("select title from exports.playbooks where steps_in_all > 0 order by id")
        tasks += [task for row in rows if (task := f"What has to be verified in {row['title']}?") not in tasks]
        return [(task, bundle.gather(corpus, task, "bm25", 8)) for task in tasks]


def rows(made: list[Made]) -> list[tuple[str, int, int, int]]:
    """Returns of each kind of answer how many there are, how many passed, and how many were refused."""
    kinds = list(dict.fromkeys(one.kind for one in made))
    found = []
    for kind in kinds:
        verdicts = [judge(one.task, one.bundle, one.answer).passed for one in made if one.kind == kind]
        found.append((kind, len(verdicts), sum(verdicts), len(verdicts) - sum(verdicts)))
    return found


def table(made: list[Made]) -> str:
    """Returns the table and what it comes to. A bad answer that is refused is a hit."""
    found = rows(made)
    lines = ["| answers | built | passed | refused |", "|---|---|---|---|"]
    lines += [f"| {kind} | {total} | {passed} | {refused} |" for kind, total, passed, refused in found]
    hits = sum(refused for kind, _, _, refused in found if not kind.startswith("good"))
    alarms = sum(refused for kind, _, _, refused in found if kind.startswith("good"))
    missed = sum(passed for kind, _, passed, _ in found if not kind.startswith("good"))
    likely = [(total, passed) for kind, total, passed, _ in found if kind.startswith("plausible")]
    lines += [
        "",
        f"{len(made)} answers. Of {hits + alarms} refused ones {hits} were bad: precision {hits / max(1, hits + alarms):.3f}. "
        f"Of {hits + missed} bad ones {hits} were refused: recall {hits / max(1, hits + missed):.3f}. "
        f"Of {sum(total for total, _ in likely)} plausible but wrong ones {sum(passed for _, passed in likely)} "
        "slipped through.",
    ]
    return "\n".join(lines)


def sample(root: Path) -> Warehouse:
    """Returns a warehouse with the sample, made below a folder."""
    settings = Settings(
        warehouse=root / "warehouse",
        exports=root / "exports",
        reports=root / "reports",
        gates=Gates(known_paths=Path("data/known_paths.txt")),
    )
    outcome = run_stages(settings, Silent())
    if outcome.failure is not None:
        raise outcome.failure
    return Warehouse(settings.warehouse)


def placed(page: str, text: str) -> str:
    """Returns the page with the table in its place."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="distill-gate-") as folder:
        made = list(built(bundles_of(sample(Path(folder)))))
    page = PAGE.read_text(encoding="utf-8")
    fresh = placed(page, table(made))
    if "--print" in sys.argv[1:]:
        print(table(made))
        for one in made:
            verdict = judge(one.task, one.bundle, one.answer)
            if verdict.passed != one.is_good:
                print(f"\n{one.kind}: {verdict.verdict}\n  {one.answer}\n  {verdict.findings}")
        return 0
    if "--check" in sys.argv[1:]:
        print("the table of the gate is up to date" if fresh == page else f"{PAGE} is stale; run `make gate-table`")
        return fresh != page
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""All rows of one block, each with its stream and its place in time."""

from dataclasses import dataclass
from random import Random

from tools.sample import knowledge, verdicts
from tools.sample.case import lower_first
from tools.sample.corpus import NUMBER_MARK, PATH_MARK, SourceFile, phrases
from tools.sample.fleet import Row
from tools.sample.plan import MINUTE_MS, SPAN_MS, Task, plan_tasks

# Stream -> the field that holds what an agent produced.
CONTENT_FIELD = {
    "scrum_reviews": "review",
    "observer_reviews": "notes",
    "audits": "evidence",
    "contract_analyses": "analysis",
    "auto_apply": "patch",
    "outcomes": "summary",
    "mode_experiments": "text",
    "audit_facts": "facts",
    "distilled_facts": "text",
    "distilled_procedures": "text",
    "distilled_config_hints": "text",
    "observer_escalations": "analysis",
}
STREAMS = tuple(CONTENT_FIELD)

_MODE_EXPERIMENTS = 168
_MAKERS = {
    "S": ("scrum_reviews", verdicts.scrum_review),
    "O": ("observer_reviews", verdicts.observer_review),
    "A": ("audits", verdicts.audit),
    "P": ("auto_apply", verdicts.auto_apply),
}


@dataclass
class Entry:
    """A row before its time is written into it; `task` and `act` say why it is there."""

    stream: str
    at_ms: int
    row: Row
    file: SourceFile | None = None
    task: Task | None = None
    act: str = ""
    timed: bool = True


def block_entries(rng: Random) -> list[Entry]:
    """Every row of a block, clean: dirt.py makes some of them less so."""
    tasks = plan_tasks(rng)
    entries = [entry for task in tasks for entry in _judged(task, rng)]
    entries += _contracts(rng)
    entries += _unjudged(tasks, rng)
    for entry in entries:
        _make_traceable(entry, rng)
    return entries


def _judged(task: Task, rng: Random) -> list[Entry]:
    entries = []
    at_ms = task.starts_ms
    for act in task.acts:
        stream, make = _MAKERS[act[0]]
        entries.append(Entry(stream, at_ms, make(task, act, at_ms, rng), task.file, task, act))
        at_ms = _later(at_ms, rng, 95)
    return entries


def _later(at_ms: int, rng: Random, mean_minutes: float) -> int:
    gap = int(rng.expovariate(1 / mean_minutes) * MINUTE_MS) + rng.randint(1500, 60_000)
    return min(at_ms + gap, SPAN_MS - rng.randint(1, MINUTE_MS))


def _contracts(rng: Random) -> list[Entry]:
    kinds = rng.sample(phrases("kind_of_contract"), k=2)
    rows = [verdicts.contract_analysis(kind, accepted, rng) for kind, accepted in zip(kinds, (True, False), strict=True)]
    return [Entry("contract_analyses", rng.randrange(SPAN_MS), row) for row in rows]


def _unjudged(tasks: list[Task], rng: Random) -> list[Entry]:
    entries = []
    small = [task for task in tasks if len(task.acts) <= 2]
    for kind in knowledge.OUTCOMES:
        task = rng.choice(small)
        at_ms = _later(task.starts_ms, rng, 600)
        entries.append(Entry("outcomes", at_ms, knowledge.outcome(task, kind, rng), task.file, task))
    for _ in range(_MODE_EXPERIMENTS):
        task = rng.choice(tasks)
        at_ms = _later(task.starts_ms, rng, 900)
        entries.append(Entry("mode_experiments", at_ms, knowledge.mode_experiment(task, at_ms, rng), task.file))
    pools = _parent_pools(tasks)
    for stream, count in knowledge.EXTRACTIONS.items():
        for _ in range(count):
            parent = _draw_parent(pools, rng)
            subject = parent or rng.choice(tasks)
            row = knowledge.extraction(stream, parent, subject, rng)
            entries.append(Entry(stream, _later(subject.starts_ms, rng, 700), row, subject.file, parent))
    return entries


_Pools = tuple[tuple[int, list[Task]], ...]


def _parent_pools(tasks: list[Task]) -> _Pools:
    """Tasks by what their extraction rows inherit, each pool with its share of a hundred rows."""
    return (
        (56, [task for task in tasks if task.outcomes() == {"a"}]),
        (16, [task for task in tasks if task.outcomes() in ({"p"}, {"p", "r"})]),
        (5, [task for task in tasks if task.is_contested()]),
        (10, [task for task in tasks if task.outcomes() == {"r"}]),
    )


def _draw_parent(pools: _Pools, rng: Random) -> Task | None:
    """A parent task, or none where the trace was lost: the rest of the hundred."""
    luck = rng.randrange(100)
    for share, tasks in pools:
        luck -= share
        if luck < 0:
            return rng.choice(tasks)
    return None


def _make_traceable(entry: Entry, rng: Random) -> None:
    """Adds a reference to a text that names neither file nor task: repeated blocks may not share texts."""
    field = CONTENT_FIELD[entry.stream]
    value = entry.row[field]
    if isinstance(value, list):
        entry.row[field] = [_with_reference(item, entry, rng) if isinstance(item, str) else item for item in value]
    elif isinstance(value, str):
        entry.row[field] = _with_reference(value, entry, rng)


def _with_reference(text: str, entry: Entry, rng: Random) -> str:
    if NUMBER_MARK in text or PATH_MARK in text:
        return text
    path = entry.file.marked_path if entry.file else ""
    task = entry.task.ident if entry.task is not None else None
    if "\n" in text:
        forms = [f"{path}\n\n{text}", f"{text}\n\nFile: {path}", f"# {path}\n{text}"]
        forms += [f"Task {task}\n\n{text}", f"{text}\n\n({task})"] if task else []
    else:
        forms = [f"{text} ({path})", f"{text} See {path}.", f"{path}: {lower_first(text)}"]
        forms += [f"{text} ({task})", f"{text} Source: {task}."] if task else []
    return rng.choice(forms)

"""Rows without a verdict of their own: what was distilled, tried, escalated, and how whole tasks ended."""

from random import Random

from tools.sample import prose
from tools.sample.case import open_cases
from tools.sample.corpus import NUMBER_MARK, phrases
from tools.sample.fleet import Row, draw_model, measure, sign
from tools.sample.plan import Task, sprint_at
from tools.sample.verdicts import cite, hex_id, topic_of

OUTCOMES = ("good",) * 33 + ("gap",) * 11 + ("bad",) * 4
EXTRACTIONS = {
    "audit_facts": 60,
    "distilled_facts": 58,
    "distilled_procedures": 40,
    "distilled_config_hints": 29,
    "observer_escalations": 20,
}


def outcome(task: Task, kind: str, rng: Random) -> Row:
    """How a task ended; `kind` is good, gap or bad."""
    case = task.cases[0]
    row: Row = {"run_id": f"task-{hex_id(rng)}"}
    if task.ident is not None and rng.random() < 0.5:
        row["task_id"] = task.ident
    row |= {"task": case.pick("outcome_task", rng), "summary": case.pick(f"outcome_{kind}", rng)}
    row |= {"all_events_ok": kind != "bad", "events": rng.randint(3, 14)}
    row["gap_signals"] = rng.randint(1, 4) if kind == "gap" else 0
    model = draw_model(rng)
    sign(row, model, rng)
    cite(row, task.file, rng, share=0.4)
    return row


def mode_experiment(task: Task, at_ms: int, rng: Random) -> Row:
    """One answer of an experiment with prompting modes; its validation never measured groundedness."""
    cases = open_cases(task.file, rng, sprint_at(at_ms))
    model = draw_model(rng)
    text = prose.answer(cases, rng)
    row: Row = {"run_id": f"exp-{hex_id(rng)}", "mode": cases[0].values["mode"]}
    row |= {"prompt": cases[0].pick("mode_ask", rng), "text": text}
    row["validation_results"] = {"schema_ok": rng.random() < 0.97, "sentences": text.count(". ") + 1}
    sign(row, model, rng)
    cite(row, task.file, rng, share=0.35)
    measure(row, model, text, rng, share=0.9)
    return row


def extraction(stream: str, task: Task | None, subject: Task, rng: Random) -> Row:
    """A row about a subject, distilled from a task's records; the task is None where the trace was lost."""
    row: Row = {"run_id": f"distil-{hex_id(rng)}"} if rng.random() < 0.5 else {}
    if task is not None:
        row["task_id"] = task_key(task)
    elif rng.random() < 0.5:
        row["task_id"] = f"NOTE-{NUMBER_MARK}{rng.randint(100, 999)}"
    row |= _knowledge(stream, subject, rng)
    sign(row, draw_model(rng), rng)
    cite(row, subject.file, rng, share=0.35)
    return row


def task_key(task: Task) -> str:
    """What joins extraction rows to a task: its id, or the file or topic that stands in for it."""
    if task.ident is not None:
        return task.ident
    return topic_of(task.cases[0]) if task.acts[0].startswith("A") else task.file.marked_path


def _knowledge(stream: str, task: Task, rng: Random) -> Row:
    case = rng.choice(task.cases)
    if stream == "audit_facts":
        facts: list[object] = [_fact(task, rng) for _ in range(rng.choice((1, 2, 2, 3)))]
        if rng.random() < 0.04:
            facts.append({"confidence": round(rng.random(), 2)})
        return {"facts": list(facts)}
    if stream == "observer_escalations":
        return {"reason": case.pick("escalation_reason", rng), "analysis": case.pick("escalation_text", rng)}
    if stream == "distilled_facts":
        return {"text": _fact(task, rng)}
    section, field = {
        "distilled_procedures": ("procedure", "proc"),
        "distilled_config_hints": ("hint", "hint"),
    }[stream]
    template = rng.choice(phrases(section))
    while f"{{{field}}}" in template and not case.has(field):
        template = rng.choice(phrases(section))
    return {"text": case.say(template, rng)}


def _fact(task: Task, rng: Random) -> str:
    case = rng.choice(task.cases)
    luck = rng.random()
    if luck < 0.2:
        return case.pick("fact_extra", rng)
    return case.say("{fact}", rng) + (f" {case.pick('fact_extra', rng)}" if luck < 0.65 else "")

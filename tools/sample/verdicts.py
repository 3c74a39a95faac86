"""Rows of the streams that carry a verdict of their own: reviews, notes, audits, contracts, patches."""

from pathlib import PurePosixPath
from random import Random

from tools.sample import patches, prose
from tools.sample.case import Case, open_cases
from tools.sample.corpus import NUMBER_MARK, PATH_MARK, SourceFile, marked, phrases, source_files
from tools.sample.fleet import Row, draw_model, measure, sign
from tools.sample.plan import FIRST_SPRINT, Task, sprint_at

_PHASES = ("inventory", "isolation", "money", "data-integrity", "recovery", 6, "7", "docs")
_REVIEWERS = ("scrum-lead", "module-owner", "second-reader", "night-shift")


def hex_id(rng: Random, digits: int = 10) -> str:
    """A random id that stays unique when the block is repeated under another number."""
    return f"{rng.getrandbits(digits * 4):0{digits}x}{NUMBER_MARK}"


def cite(row: Row, file: SourceFile, rng: Random, share: float = 0.6) -> None:
    """Adds cited_paths on a share of rows: the file, its neighbours, and rarely a path that never existed."""
    if rng.random() > share:
        return
    neighbours = [other.marked_path for other in source_files() if other.kind == file.kind and other != file]
    paths = [file.marked_path, *rng.sample(neighbours, k=rng.choice((0, 0, 1, 1, 2)))]
    if rng.random() < 0.015:
        paths.append(_invented_path(file, rng))
    row["cited_paths"] = paths


def _invented_path(file: SourceFile, rng: Random) -> str:
    path = PurePosixPath(file.path)
    template = rng.choice(phrases("bad_path"))
    return marked(template.format(stem=path.stem, dir=path.parent, ext=path.suffix))


def scrum_review(task: Task, act: str, at_ms: int, rng: Random) -> Row:
    """A review that was accepted at its first attempt, or only at a later one."""
    model = draw_model(rng)
    good = act == "Sa"
    text = prose.review(task.cases, rng.choice(model.styles), good, rng)
    row: Row = {"file": task.file.marked_path}
    _open(row, task, rng)
    _ask(row, task, "plain_ask", 0.72, rng)
    row |= {"review": text, "accepted": True}
    row["accepted_on_attempt"] = 1 if good else rng.choices((2, 3, 4, 5), weights=(60, 26, 10, 4))[0]
    if rng.random() < 0.5:
        row |= {"sprint": sprint_at(at_ms), "reviewer": rng.choice(_REVIEWERS)}
    _close(row, task, text, rng)
    return row


def observer_review(task: Task, act: str, at_ms: int, rng: Random) -> Row:
    """An observer's verdict on an earlier answer."""
    text = prose.notes(task.cases, act[1], rng)
    row: Row = {"file": task.file.marked_path}
    _open(row, task, rng)
    _ask(row, task, "plain_ask", 0.55, rng)
    verdict = {"a": "accept", "r": "reject", "p": "cycle"}[act[1]]
    row |= {"notes": text, "verdict": verdict.upper() if rng.random() < 0.06 else verdict}
    if rng.random() < 0.3:
        row["sprint"] = sprint_at(at_ms)
    _close(row, task, text, rng)
    return row


def audit(task: Task, act: str, at_ms: int, rng: Random) -> Row:
    """An audit finding: newer rows carry a severity, older ones a verdict."""
    legacy = at_ms % 5 == 0
    severity = {
        "a": rng.choice(("info", "info", "low")),
        "p": "medium",
        "r": rng.choice(("high", "high", "critical")),
    }
    level = severity[act[1]]
    case, phase = rng.choice(task.cases) if task.ident is not None else task.cases[0], rng.choice(_PHASES)
    if task.asks_the_same:
        case, phase = task.cases[0], _PHASES[task.number % len(_PHASES)]
    row: Row = {"phase": phase, "topic": topic_of(case)}
    if rng.random() < 0.8:
        row["finding_id"] = f"F-{hex_id(rng, 6)}"
    if task.ident is not None:
        row["task_id"] = task.ident
    if rng.random() < 0.4:
        row["run_id"] = f"audit-{hex_id(rng)}"
    text = prose.evidence(case, task.cases, act[1], level == "low", rng)
    row["evidence"] = text
    if act[1] != "a" and rng.random() < 0.6:
        row["resolution"] = case.pick("resolution", rng)
    if legacy:
        row["verdict"] = {"a": "pass", "p": "warn", "r": "fail"}[act[1]]
    else:
        row["severity"] = rng.choices((level, level.capitalize(), level.upper()), weights=(85, 10, 5))[0]
    _close(row, task, text, rng)
    return row


def topic_of(case: Case) -> str:
    """The audit topic of a case: the module and what is looked for."""
    stem = case.file.path.rpartition(".")[0]
    return f"{stem}{PATH_MARK}: {case.finding.fields['title'][0]}"


def auto_apply(task: Task, act: str, at_ms: int, rng: Random) -> Row:
    """A patch and what became of it."""
    model = draw_model(rng)
    text = patches.patch(_patchable(task, rng), act != "Pr", rng)
    row: Row = {"file": task.file.marked_path}
    _open(row, task, rng)
    _ask(row, task, "patch_ask", 0.65, rng)
    action = "committed" if act == "Pa" else rng.choice(phrases("patch_fail" if act == "Pr" else "patch_other"))
    row |= {"patch": text, "action": action}
    if act == "Pa" and rng.random() < 0.7:
        row["commit"] = f"{rng.getrandbits(160):040x}"
        row["commit_subject"] = task.cases[0].pick("commit_subject", rng)
    if rng.random() < 0.2:
        row["sprint"] = sprint_at(at_ms)
    sign(row, model, rng)
    cite(row, task.file, rng, share=0.3)
    measure(row, model, text, rng, share=0.6)
    return row


def _patchable(task: Task, rng: Random) -> tuple[Case, ...]:
    """The task's cases, rotated now and then: two tries at one task need not patch the same place."""
    cases = task.cases
    while not any(case.finding.diff for case in cases):
        cases = open_cases(task.file, rng, sprint_at(task.starts_ms))
    return cases[1:] + cases[:1] if rng.random() < 0.3 else cases


def contract_analysis(kind: str, accepted: bool, rng: Random) -> Row:
    """An agent's reading of a vendor contract, judged by the observer."""
    case = open_cases(source_files()[0], rng, FIRST_SPRINT)[0]
    text = prose.contract(case, kind, rng)
    ident = f"VC-{NUMBER_MARK}{rng.randint(100, 999)}-{kind.replace(' ', '-')}"
    row: Row = {"contract_id": ident, "run_id": f"contract-{hex_id(rng)}"}
    if rng.random() < 0.5:
        row["prompt"] = f"List what is unusual in the {kind} agreement {ident}, clause by clause, with a recommendation."
    row |= {
        "analysis": f"{text}\n\nContract: {ident}",
        "observer_verdict": "accept" if accepted else "reject",
    }
    row["failure_markers"] = [] if accepted else rng.sample(phrases("failure_markers"), k=rng.choice((1, 2)))
    model = draw_model(rng)
    sign(row, model, rng)
    measure(row, model, text, rng, share=0.9)
    return row


def _open(row: Row, task: Task, rng: Random) -> None:
    if task.ident is not None:
        row["task_id"] = task.ident
    if rng.random() < 0.6:
        row["run_id"] = f"run-{hex_id(rng)}"


def _ask(row: Row, task: Task, section: str, share: float, rng: Random) -> None:
    drawn = task.cases[0].pick(section, rng) if rng.random() < share else None
    if (asked := task.asks(section, drawn)) is not None:
        row["prompt"] = asked


def _close(row: Row, task: Task, text: str, rng: Random) -> None:
    model = draw_model(rng)
    sign(row, model, rng)
    cite(row, task.file, rng)
    measure(row, model, text, rng)

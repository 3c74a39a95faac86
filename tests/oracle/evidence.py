"""Contracts section 2: lines -> evidence records, skips and a count of duplicates.

Choices where the page is silent (for single values and times see values.py):
- Arrays are never null. `failure_markers` is read from contract_analyses only.
- `latency_ms`, `prompt_tokens`, `completion_tokens`, `cost_usd`, `model`, `provider` and `cited_paths` are
  read from every stream, but for what the stream itself names (agent_checkpoints, code_reviews).
- agent_checkpoints: a row's own `run_id` is not used; a blank checkpoint_id or session_id leaves run_id null.
- `facts` keeps blank JSON strings too (the page says "the JSON strings"); nested arrays are not entered.
- audits: blank evidence beside a resolution makes the content null, as every concatenation with a blank part.
- audit_discrepancies: the run of a record is that of the finding that won; a row's own `run_id` goes first. Without a winner
  there is no content and no alternative. Who settled it stands in success_markers; a party to it in failure_markers.
- model_trust: `task_type` is the subject; a thumb may be a word, a whole number, or true and false.
- A whole number beyond 64 bits can't be read, and neither can a list in which one item can't.
- A share outside of 0 to 1 stays in its column, but counts as unreadable.
- Every line that cannot become evidence is a skip; only lines that can are compared for duplicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .landing import Landed, Line, Row, is_blank, trim
from .values import (
    bigint,
    boolean,
    double,
    inner,
    is_unreadable,
    joined,
    lowered,
    number,
    otherwise,
    read_time,
    strings,
    text,
    text_or_integer,
    texts,
)

SETTLES = ("person:", "test:", "tool:")
"""What the name of whoever may settle a discrepancy begins with."""


@dataclass(frozen=True)
class Stream:
    """The key of the time, the key that stands in for task_id, the stream's own columns, and what its fields must be.

    judged: the fields that the score hangs on, `name` for a text or `name:kind`; others: the rest, but for those of all streams
    """

    time: str
    task: str | None
    columns: Callable[[Row], Row]
    judged: str = ""
    others: str = ""
    task_may_be_a_number: bool = False
    paths: str = "cited_paths"
    unused: tuple[str, ...] = ()


def scrum_reviews(row: Row) -> Row:
    """The columns that only this stream fills (so for all functions below)."""
    verdict = None
    if boolean(row, "accepted") is False:
        verdict = "rejected"
    elif number(row, "accepted_on_attempt") is not None:
        verdict = "accepted"
    file = text(row, "file")
    return {
        "subject": file,
        "instruction": otherwise(text(row, "prompt"), joined("Review ", file)),
        "content": text(row, "review"),
        "attempts": bigint(row, "accepted_on_attempt"),
        "verdict": verdict,
    }


def observer_reviews(row: Row) -> Row:
    file = text(row, "file")
    return {
        "subject": file,
        "instruction": otherwise(text(row, "prompt"), joined("Review ", file)),
        "content": text(row, "notes"),
        "verdict": lowered(row, "verdict"),
    }


def audits(row: Row) -> Row:
    topic, evidence, resolution = text(row, "topic"), text(row, "evidence"), text(row, "resolution")
    columns: Row = {
        "subject": topic,
        "instruction": joined("Audit phase ", text_or_integer(row, "phase"), ": ", topic),
        "content": evidence,
        "severity": lowered(row, "severity"),
        "verdict": lowered(row, "verdict"),
    }
    if not is_blank(resolution):
        columns["content"] = joined(evidence, "\n\nResolution: ", resolution)
    finding_id = text_or_integer(row, "finding_id")
    if "run_id" not in row and not is_blank(finding_id):
        columns["run_id"] = finding_id
    return columns


def contract_analyses(row: Row) -> Row:
    contract_id = text(row, "contract_id")
    return {
        "subject": contract_id,
        "instruction": otherwise(text(row, "prompt"), joined("Analyze contract ", contract_id)),
        "content": text(row, "analysis"),
        "failure_markers": sorted(set(texts(row, "failure_markers"))),
        "verdict": lowered(row, "observer_verdict"),
    }


def auto_apply(row: Row) -> Row:
    file = text(row, "file")
    return {
        "subject": file,
        "instruction": otherwise(text(row, "prompt"), joined("Apply a fix to ", file)),
        "content": text(row, "patch"),
        "verdict": lowered(row, "action"),
    }


def outcomes(row: Row) -> Row:
    return {
        "instruction": text(row, "task"),
        "content": text(row, "summary"),
        "events_ok": boolean(row, "all_events_ok"),
        "gap_signals": bigint(row, "gap_signals"),
    }


def mode_experiments(row: Row) -> Row:
    return {
        "subject": text(row, "mode"),
        "instruction": text(row, "prompt"),
        "content": text(row, "text"),
        "grounded_fraction": double(inner(row, "validation_results"), "grounded_fraction"),
    }


def audit_facts(row: Row) -> Row:
    facts = strings(row, "facts")
    return {"content": "\n".join(facts) if facts else None}


def distilled(row: Row) -> Row:
    return {"content": text(row, "text")}


def observer_escalations(row: Row) -> Row:
    return {"instruction": text(row, "reason"), "content": text(row, "analysis")}


def agent_checkpoints(row: Row) -> Row:
    return {
        "run_id": joined(text(row, "checkpoint_id"), "/", text(row, "session_id")),
        "subject": text(row, "branch"),
        "instruction": text(row, "prompt"),
        "content": text(row, "final_message"),
        "verdict": lowered(row, "outcome"),
        "cited_paths": texts(row, "files_touched"),
    }


def code_reviews(row: Row) -> Row:
    pr = text(row, "pr")
    return {
        "subject": pr,
        "instruction": joined("Review pull request: ", otherwise(text(row, "pr_title"), pr)),
        "content": text(row, "comment"),
        "verdict": lowered(row, "judgement"),
        "severity": lowered(row, "severity"),
        "model_name": text(row, "tool"),
    }


def optimization_runs(row: Row) -> Row:
    evaluation = inner(row, "evaluation")
    return {
        "subject": text(row, "repo"),
        "verdict": lowered(evaluation, "status"),
        "events_ok": boolean(evaluation, "improvement"),
    }


def audit_discrepancies(row: Row) -> Row:
    winner, settler = lowered(row, "winner"), lowered(row, "settled_by")
    parties = {named(lowered(row, "model_a")), named(lowered(row, "model_b"))} - {None}
    columns: Row = {
        "instruction": text(row, "prompt"),
        "model_name": None,
        "verdict": winner,
        "success_markers": [] if settler is None else [f"settled_by:{settler}"],
        "failure_markers": ["settled_by_a_party"] if named(settler) in parties else [],
    }
    if winner not in ("a", "b"):
        return columns
    loser = "b" if winner == "a" else "a"
    columns |= {
        "model_name": text(row, f"model_{winner}"),
        "content": text(row, f"finding_{winner}"),
        "alternative_content": text(row, f"finding_{loser}"),
        "alternative_run_id": otherwise(text(row, f"run_{loser}")),
    }
    own_run = otherwise(text(row, f"run_{winner}"))
    return columns if "run_id" in row or own_run is None else columns | {"run_id": own_run}


def named(settler: str | None) -> str | None:
    """Who it is, without the word that says what kind of settler: `person:ann` is ann."""
    for kind in SETTLES:
        if settler is not None and settler.startswith(kind):
            return otherwise(trim(settler.removeprefix(kind)))
    return settler


def model_trust(row: Row) -> Row:
    whole, truth = bigint(row, "thumb"), boolean(row, "thumb")
    spelled = str(whole) if whole is not None else None if truth is None else str(truth).lower()
    return {
        "subject": text(row, "task_type"),
        "verdict": lowered(row, "thumb") or spelled,
        "events_ok": boolean(row, "ok"),
    }


STREAMS = {
    "scrum_reviews": Stream(
        "created_at", "file", scrum_reviews, "accepted:boolean accepted_on_attempt:whole", "file prompt review"
    ),
    "observer_reviews": Stream("ts", "file", observer_reviews, "verdict", "file prompt notes"),
    "audits": Stream("ts", "topic", audits, "severity verdict", "topic phase:label finding_id:label evidence resolution"),
    "contract_analyses": Stream(
        "created_at",
        "contract_id",
        contract_analyses,
        "failure_markers:texts observer_verdict",
        "contract_id prompt analysis",
    ),
    "auto_apply": Stream("ts", "file", auto_apply, "action", "file prompt patch"),
    "outcomes": Stream("created_at", None, outcomes, "all_events_ok:boolean gap_signals:whole", "task summary"),
    "mode_experiments": Stream(
        "created_at",
        None,
        mode_experiments,
        "latency_ms:whole validation_results:object validation_results.grounded_fraction:share",
        "mode prompt text",
    ),
    "audit_facts": Stream("ts", None, audit_facts, "", "facts:texts"),
    "distilled_facts": Stream("created_at", None, distilled, "", "text"),
    "distilled_procedures": Stream("created_at", None, distilled, "", "text"),
    "distilled_config_hints": Stream("created_at", None, distilled, "", "text"),
    "observer_escalations": Stream("ts", None, observer_escalations, "", "reason analysis"),
    "agent_checkpoints": Stream(
        "created_at",
        "branch",
        agent_checkpoints,
        "outcome",
        "checkpoint_id session_id branch prompt final_message",
        paths="files_touched",
        unused=("run_id",),
    ),
    "code_reviews": Stream(
        "collected_at", "pr", code_reviews, "judgement", "pr pr_title comment severity tool", unused=("model",)
    ),
    "optimization_runs": Stream(
        "timestamp",
        "item_id",
        optimization_runs,
        "evaluation:object evaluation.status evaluation.improvement:boolean",
        "item_id repo",
    ),
    "audit_discrepancies": Stream(
        "ts",
        "discrepancy_id",
        audit_discrepancies,
        "winner settled_by model_a model_b",
        "discrepancy_id:label prompt finding_a finding_b run_a run_b",
        task_may_be_a_number=True,
        unused=("model",),
    ),
    "model_trust": Stream("ts", None, model_trust, "ok:boolean thumb:thumb", "task_type"),
}


@dataclass(frozen=True)
class Evidence:
    """Records and skips, each ordered by (source, source_file, line_offset)."""

    records: list[Row]
    skips: list[Row]
    deduped: dict[str, int]


def build_evidence(landed: Landed) -> Evidence:
    """Turn every line of a mapped stream into a record, a skip or a duplicate."""
    records: list[Row] = []
    skips: list[Row] = []
    deduped = {source: 0 for source in landed.blank_lines if source in STREAMS}
    seen: set[tuple[str, str]] = set()
    for line in landed.lines:
        if line.source not in STREAMS:
            continue
        outcome = read_line(line)
        if isinstance(outcome, str):
            skip: Row = {"source": line.source, "source_file": line.source_file}
            skips.append(skip | {"line_offset": line.line_offset, "reason": outcome})
        elif (line.source, outcome["sig_hash"]) in seen:
            deduped[line.source] += 1
        else:
            seen.add((line.source, outcome["sig_hash"]))
            records.append(outcome)
    return Evidence(records, skips, deduped)


def read_line(line: Line) -> Row | str:
    """The record of a line, or the reason why there is none."""
    row = line.row
    if row is None or line.sig_hash is None:
        return line.status
    stream = STREAMS[line.source]
    if row.get(stream.time) is None:
        return "missing_timestamp"
    occurred_at = read_time(row[stream.time])
    if occurred_at is None:
        return "invalid_timestamp"
    own_columns = stream.columns(row)
    run_id = own_columns.pop("run_id") if "run_id" in own_columns else default_run_id(line, row)
    read_task = text_or_integer if stream.task_may_be_a_number else text
    fallback = read_task(row, stream.task) if stream.task is not None else None
    task_id = otherwise(text_or_integer(row, "task_id"), fallback, run_id)
    if is_blank(task_id):
        return "schema_violation"
    general: Row = {
        "schema_version": 1,
        "source": line.source,
        "run_id": run_id,
        "task_id": task_id,
        "occurred_at": occurred_at,
        "subject": None,
        "model_name": text(row, "model"),
        "model_provider": text(row, "provider"),
        "instruction": None,
        "content": None,
        "alternative_content": None,
        "alternative_run_id": None,
        "cited_paths": texts(row, "cited_paths"),
        "verdict": None,
        "severity": None,
        "attempts": None,
        "gap_signals": None,
        "events_ok": None,
        "grounded_fraction": None,
        "success_markers": [],
        "failure_markers": [],
        "latency_ms": bigint(row, "latency_ms"),
        "prompt_tokens": bigint(row, "prompt_tokens"),
        "completion_tokens": bigint(row, "completion_tokens"),
        "cost_usd": double(row, "cost_usd"),
        "unreadable_fields": unreadable(row, judged_fields(stream)),
        "mistyped_fields": unreadable(row, judged_fields(stream) + other_fields(stream)),
        "source_file": line.source_file,
        "line_offset": line.line_offset,
        "sig_hash": line.sig_hash,
    }
    assert own_columns.keys() <= general.keys()
    return general | own_columns


OF_ALL_STREAMS = (
    "run_id:label task_id:label model provider latency_ms:whole prompt_tokens:whole completion_tokens:whole cost_usd:number"
)


def judged_fields(stream: Stream) -> list[str]:
    return [*stream.judged.split(), f"{stream.paths}:texts"]


def other_fields(stream: Stream) -> list[str]:
    of_all = [field for field in OF_ALL_STREAMS.split() if field.split(":")[0] not in stream.unused]
    return [*of_all, *stream.others.split()]


def unreadable(row: Row, fields: list[str]) -> list[str]:
    """The names of the fields whose value is there, not null, and not of its kind; sorted, each once."""
    named = [(name, kind or "text") for name, _, kind in (field.partition(":") for field in fields)]
    return sorted({name for name, kind in named if is_unreadable(row, name, kind)})


def default_run_id(line: Line, row: Row) -> str | None:
    """The row's own run_id if it has that key, else one made from its hash."""
    if "run_id" in row:
        return otherwise(text_or_integer(row, "run_id"))
    return f"{line.source}:{str(line.sig_hash)[:16]}"

"""The second lever: several answers to one task, of which the first that passes a real check is kept.

The task is asked as it is, without evidence, and a check takes the gate's place: calls with the values that they must return.
One row is logged, of the answer that was kept or, where none passed, of the last one. Its gate is `0:` and a hash of the check.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.reader import Warehouse
from pipeline.replay import Asked, Replayed, bundle, log, prompt
from pipeline.replay.attempts import record_of
from pipeline.replay.gate import Finding, Judgement
from pipeline.replay.log import Record
from pipeline.replay.model import Answer
from pipeline.search import opened as opened_corpus
from pipeline.weights import sampling, sandbox
from pipeline.weights.sampling import Sampled, Sampling
from pipeline.weights.tasks import Task

TEMPERATURE = 0.7
_FIRST_SEED = 7
_RULE = "check"


def best_of(
    warehouse: Warehouse,
    data: Path,
    asked: Asked,
    check: Task,
    *,
    most: int,
    temperature: float,
    told: Callable[[str], None] = lambda text: None,
) -> Replayed:
    """Samples answers, each with a seed of its own, until one passes the check or there were `most`.

    told: hears what is done next
    Raises UsageError for what makes no sense, ServerError where the model can't be asked; then nothing is logged.
    """
    asked.refuse_odd()
    if asked.allow_escalation:
        raise UsageError("--best-of asks one model several times; leave --allow-escalation out")
    log.refuse_no_place(warehouse, data)
    messages = [{"role": "user", "content": asked.task}]
    with (
        sandbox.opened() as box,
        sampling.model(
            asked.first_model, base_url=asked.base_url, timeout=asked.timeout, slots=1, local_only=asked.local_only
        ) as sampler,
    ):
        tokens = 0
        for number in range(1, most + 1):
            told(f"{number}/{most}")
            drawn = Sampling(temperature, seed=_FIRST_SEED + number - 1)
            sampled = sampler.ask(messages, drawn)
            tokens += sampled.completion_tokens
            found = box.judge(sandbox.code_of(sampled.text), check.entry_point, check.calls, check.expected)
            if found.verdict == sandbox.PASSED:
                break
        spent = {"best_of": most, "sampled": number, "sampled_tokens": tokens, "runtime": sampler.runtime_version}
        judgement = _judgement(found, check)
        with opened_corpus(warehouse, asked.as_of) as corpus:
            nothing = bundle.empty(corpus)
        record = _record(asked, nothing, sampler.endpoint, sampled, judgement, drawn, spent, check)
    return Replayed((record,), log.append(warehouse, data, [record]), None)


def _judgement(found: sandbox.Judged, check: Task) -> Judgement:
    if found.verdict == sandbox.PASSED:
        return Judgement((), len(check.calls))
    return Judgement((Finding(_RULE, found.verdict, check.entry_point, found.detail),), len(check.calls))


def _record(
    asked: Asked,
    nothing: dict[str, Any],
    endpoint: Any,
    sampled: Sampled,
    judgement: Judgement,
    drawn: Sampling,
    spent: dict[str, Any],
    check: Task,
) -> Record:
    """What is logged is what a replay logs, but for the question as it was sent, the parameters and the gate."""
    answer = Answer(sampled.text, sampled.latency_ms, sampled.prompt_tokens, sampled.completion_tokens)
    sent = drawn.parameters()
    flat = {name: value for name, value in (sent | sent["extra_body"]).items() if name != "extra_body"}
    record = record_of(asked, nothing, endpoint, answer, judgement, f"replay-{secrets.token_hex(16)}", 1)
    routed = {name: value for name, value in record["parameters"].items() if name in ("routed_by", "timeout_s")}
    return record | {
        "prompt_hash": prompt.hash_of([{"role": "user", "content": asked.task}]),
        "parameters": flat | routed | spent,
        "gate": f"0:{check_sha256(check)[:16]}",
    }


def check_sha256(check: Task) -> str:
    """Returns a hash of what is called and expected."""
    said = json.dumps([check.entry_point, check.calls, check.expected], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()

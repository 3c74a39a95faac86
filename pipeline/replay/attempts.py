"""One attempt of a replay: a model asked, its answer judged, and the record of both."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.replay import embedded, model, prompt
from pipeline.replay.gate import Judgement, judge
from pipeline.replay.log import Record
from pipeline.replay.model import Answer, Endpoint
from pipeline.replay.words import gate_name
from pipeline.reports.receipts import iso


@dataclass(frozen=True)
class Asked:
    """A task, and how it is to be answered.

    retrieval:        False only where somebody said so
    base_url:         of the server for every model but the embedded one
    timeout:          seconds that one try may take
    local_only:       refuse whatever leaves this machine
    allow_escalation: ask `escalation_model` where the gate refuses the first answer
    adapter:          returns the file of an adapter for the embedded model, verified; called before every load
    routed_by:        the type of task whose ledger picked the model; None where a person did
    """

    task: str
    retriever: str = "bm25"
    top_k: int = 8
    retrieval: bool = True
    model: str | None = None
    escalation_model: str | None = None
    base_url: str | None = None
    timeout: float = 120.0
    local_only: bool = False
    allow_escalation: bool = False
    as_of: str | None = None
    adapter: Callable[[], Path] | None = None
    routed_by: str | None = None

    @property
    def first_model(self) -> str:
        """Returns the model that is asked first. Raises UsageError where none was named and none came along."""
        if self.model is not None:
            return self.model
        if self.base_url is not None and not self.allow_escalation:
            raise UsageError("--base-url needs --model NAME: a server has more than one, and no name is a default")
        if not embedded.is_installed():
            raise UsageError(embedded.MISSING)
        return embedded.NAME

    def refuse_odd(self) -> None:
        """Raises UsageError for what makes no sense, before anything is read or sent."""
        if not any(character.isprintable() and character != " " for character in self.task):
            raise UsageError("--task is empty; say what is to be done")
        if self.local_only and self.allow_escalation:
            raise UsageError(
                "--local-only allows no escalation: the larger model would be asked elsewhere; leave one of the two"
            )
        if self.allow_escalation and self.escalation_model is None:
            raise UsageError("--allow-escalation needs --escalation-model NAME")
        if self.escalation_model is not None and not self.allow_escalation:
            raise UsageError("--escalation-model is asked only with --allow-escalation")
        if self.adapter is not None and self.first_model != embedded.NAME:
            raise UsageError(f"--adapter changes the embedded model, and not {self.first_model!r}; leave one of the two")
        for name in [self.first_model, *([self.escalation_model] if self.escalation_model else [])]:
            if name != embedded.NAME:
                held = self._server(name)
                if held.hidden(self.task) != self.task:
                    raise UsageError("the task holds the key from the environment; nothing was sent")

    def _server(self, name: str) -> Endpoint:
        if self.base_url is None:
            raise UsageError(
                f"{name!r} is a model on a server: name that with --base-url URL, such as http://localhost:11434/v1"
            )
        return model.endpoint(self.base_url, name, self.timeout, local_only=self.local_only)

    @contextmanager
    def opened(self, name: str) -> Iterator[Endpoint]:
        """Yields a model, ready to be asked."""
        if name == embedded.NAME:
            with embedded.running(self.timeout, self.adapter() if self.adapter else None) as running:
                yield running
        else:
            yield self._server(name)


def attempt(asked: Asked, bundle: dict[str, Any], endpoint: Endpoint, replay_id: str, number: int) -> Record:
    """Asks a model, holds the gate against its answer, and returns the record of it. Raises ServerError for no answer."""
    messages = prompt.messages_for(asked.task, bundle)
    answer = endpoint.ask(messages)
    fence = prompt.fence_of(asked.task, bundle) if bundle["records"] else ""
    return record_of(asked, bundle, endpoint, answer, judge(asked.task, bundle, answer.text, fence), replay_id, number)


def record_of(
    asked: Asked, bundle: dict[str, Any], endpoint: Endpoint, answer: Answer, found: Judgement, replay_id: str, number: int
) -> Record:
    """Returns what is logged of an answer.

    `run_id` and `task_id` are what the stream's lines have: an attempt is a run, and each replay a task of its own.
    """
    record: Record = {
        "schema_version": 1,
        "kind": "replay_run",
        "replay_id": replay_id,
        "run_id": f"{replay_id}/{number}",
        "task_id": replay_id,
        "attempt": number,
        "created_at": iso(datetime.now(UTC)),
        "task": asked.task,
        "task_hash": prompt.task_hash(asked.task),
        "retriever": bundle["retriever"],
        "top_k": bundle["top_k"],
        "retrieved": [{"id": held["id"], "score": held["score"]} for held in bundle["records"]],
        "bundle": bundle,
        "prompt_hash": prompt.hash_of(prompt.messages_for(asked.task, bundle)),
        "model": endpoint.model,
        "endpoint": endpoint.name,
        "parameters": model.PARAMETERS
        | {"timeout_s": asked.timeout}
        | ({"routed_by": asked.routed_by} if asked.routed_by else {}),
        "answer": answer.text,
        "verdict": found.verdict,
        "claims": found.claims,
        "findings": found.as_json(),
        "gate": gate_name(),
        "escalated": number > 1,
        "latency_ms": answer.latency_ms,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "snapshot": bundle["snapshot"],
        "snapshot_run_id": bundle["snapshot_run_id"],
    }
    # What is judged again later is what JSON keeps of it.
    kept: Record = json.loads(json.dumps(record))
    return kept

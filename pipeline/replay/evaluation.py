"""Does evidence help? The same tasks, the same model, with retrieval and without; the gate counts."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.reader import Warehouse
from pipeline.replay import bundle, prompt
from pipeline.replay.attempts import Asked
from pipeline.replay.gate import judge
from pipeline.search import Corpus, opened

ARMS = ("with retrieval", "without")
_TABLE = "exports.playbooks"
_RESAMPLES, _SEED = 2000, 7


@dataclass(frozen=True)
class Told:
    """One answer. `fabricated` counts against the bundle that retrieval finds, in both arms: so the two can be compared."""

    task: str
    arm: str
    answer: str
    passed: bool
    claims: int
    fabricated: int
    findings: tuple[str, ...]
    latency_ms: int

    @property
    def is_grounded(self) -> bool:
        return self.fabricated == 0


@dataclass(frozen=True)
class Share:
    """A share or a mean, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Arm:
    """What an arm came to. pass_rate: of the gate as it is; grounded: answers without a fabricated token."""

    name: str
    answers: int
    pass_rate: Share
    grounded: Share
    fabricated: Share
    latency_ms: float


@dataclass(frozen=True)
class Evaluation:
    """Both arms, every answer, and the state that they were asked on."""

    model: str
    snapshot: int
    run_id: str
    arms: tuple[Arm, ...]
    answers: tuple[Told, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def tasks_of(corpus: Corpus, amount: int) -> list[str]:
    """Returns tasks from the corpus itself: what to look after in the units of which most is known."""
    files = corpus.warehouse.files(_TABLE, corpus.snapshot)
    if not files:
        raise UsageError("there are no playbooks in this state to make tasks of; give some with --tasks FILE, one a line")
    corpus.engine.bind(_TABLE, files, corpus.warehouse.schema(_TABLE))
    rows = corpus.engine.rows(f"select title from {_TABLE} order by accepted + partially_accepted desc, id limit {int(amount)}")
    return [f"What has to be verified before a change to {row['title']} goes in?" for row in rows]


def read_tasks(path: Path) -> list[str]:
    """Returns the tasks of a file, one a line."""
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no UTF-8 text") from None
    if not found:
        raise UsageError(f"{path}: holds no task; write one a line")
    return found


def evaluate(
    warehouse: Warehouse, asked: Asked, tasks: Sequence[str], amount: int, told: Callable[[str], None] = lambda text: None
) -> Evaluation:
    """Asks every task twice, and returns what the gate says of the answers. Nothing is logged: no answer is wanted.

    tasks:  where none are given, `amount` are made from the corpus
    """
    replace(asked, task="any").refuse_odd()
    with opened(warehouse, asked.as_of) as corpus, asked.opened(asked.first_model) as endpoint:
        wanted = list(tasks) or tasks_of(corpus, amount)
        found: list[Told] = []
        for number, task in enumerate(wanted, 1):
            told(f"{number}/{len(wanted)}")
            held = bundle.gather(corpus, task, asked.retriever, asked.top_k)
            for arm in ARMS:
                given = held if arm == ARMS[0] else bundle.empty(corpus)
                answer = endpoint.ask(prompt.messages_for(task, given))
                fence = prompt.fence_of(task, given) if given["records"] else ""
                verdict = judge(task, given, answer.text, fence)
                beside = judge(task, held, answer.text)
                rules = tuple(f"{one.rule} {one.kind} {one.token}".strip() for one in verdict.findings)
                found.append(
                    Told(task, arm, answer.text, verdict.passed, beside.claims, beside.fabricated, rules, answer.latency_ms)
                )
        run = corpus.snapshot
    return Evaluation(endpoint.model, run.snapshot, run.run_id, tuple(_arms(found)), tuple(found))


def _arms(found: Sequence[Told]) -> Iterator[Arm]:
    for name in ARMS:
        these = [one for one in found if one.arm == name]
        yield Arm(
            name,
            len(these),
            wilson(sum(one.passed for one in these), len(these)),
            wilson(sum(one.is_grounded for one in these), len(these)),
            bootstrap([one.fabricated for one in these]),
            sum(one.latency_ms for one in these) / max(1, len(these)),
        )


def wilson(hits: int, trials: int) -> Share:
    """Returns a share with its Wilson interval."""
    if not trials:
        return Share(0.0, 0.0, 1.0)
    z, part = 1.959963984540054, hits / trials
    middle = (hits + z * z / 2) / (trials + z * z)
    reach = z / (trials + z * z) * math.sqrt(part * (1 - part) * trials + z * z / 4)
    return Share(part, round(max(0.0, middle - reach), 9), round(min(1.0, middle + reach), 9))


def bootstrap(amounts: Sequence[float]) -> Share:
    """Returns a mean with the middle 95 % of the means of seeded resamples."""
    if not amounts:
        return Share(0.0, 0.0, 0.0)
    chance = random.Random(_SEED)
    means = sorted(sum(chance.choices(amounts, k=len(amounts))) / len(amounts) for _ in range(_RESAMPLES))
    return Share(sum(amounts) / len(amounts), means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES)])

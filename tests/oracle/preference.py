"""Contracts sections 4 and 10: preference pairs within tasks, across streams, and of settled discrepancies, in this order.

Choices where the page is silent:
- Records with one (occurred_at, sig_hash) in a task or subject and category (the same row in two streams) are told apart by
  source.
- Records beyond the first 10 of a task (or subject) and category are neither quarantined nor counted.
- Pair gates see every candidate pair, also after the fifth. A capped pair has passed, so a later pair with
  its id is a duplicate.
- A record whose task has nothing to pair it with is not in quarantine for preference.
- Across streams, a partner is a record that passed the row gates, too.
- In a settled pair, a loser without a run is `missing_source_run_id`. A settled record that a row gate stops is quarantined for
  it, but once only: not where its task took part and did so already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from .exports import (
    Categories,
    Options,
    Texts,
    by_id,
    conflict_gate,
    disputed_texts,
    make_id,
    path_gate,
    provenance,
    provenance_gates,
    quarantined,
    timestamp,
)
from .landing import Row, is_blank, trim
from .scored import ACCEPTED, PARTIAL, REJECTED, REVIEW

CONSIDERED = 10
PAIRS = 5

Candidate = tuple[Row, Row, str]


@dataclass
class Pairs:
    """What came of the candidates so far."""

    options: Options
    exported: list[Row] = field(default_factory=list)
    stopped: list[Row] = field(default_factory=list)
    capped: int = 0
    passed_ids: set[str] = field(default_factory=set)

    def take(self, candidates: Iterable[Candidate], most: int | None = PAIRS) -> None:
        """Puts candidates through the pair gates; beyond the first `most` that pass they are capped."""
        exported_here = 0
        for chosen, rejected, why in candidates:
            pair = preference_row(chosen, rejected, why)
            reason = self.pair_gates(pair)
            if reason is not None:
                self.stopped.append(quarantined("preference", reason, chosen))
                continue
            self.passed_ids.add(pair["id"])
            if most is None or exported_here < most:
                exported_here += 1
                self.exported.append(pair)
            else:
                self.capped += 1

    def pair_gates(self, pair: Row) -> str | None:
        """The reason why two texts that passed the row gates may not be a pair."""
        if pair["chosen_run_id"] == pair["rejected_run_id"]:
            return "self_pairing"
        if trim(pair["chosen"]) == trim(pair["rejected"]):
            return "invalid_preference_pairing"
        most = self.options.max_chars
        if most is not None and pair["chosen"][:most] == pair["rejected"][:most]:
            return "invalid_preference_pairing"
        return "duplicate_id" if pair["id"] in self.passed_ids else None


def export_preference(records: list[Row], categories: Categories, options: Options) -> tuple[list[Row], list[Row], int]:
    """(exported pairs sorted by id, quarantine rows of records and of pairs, how many pairs were capped)."""
    disputed = disputed_texts(records, categories)
    survivors: list[tuple[Row, str]] = []
    reasons: dict[int, str] = {}
    tasks: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for record in records:
        category = categories[record["source"], record["sig_hash"]]
        if category == REVIEW:
            continue
        tasks[record["task_id"]].append((record, category))
        reason = row_gates(record, category, options, disputed)
        if reason is None:
            survivors.append((record, category))
        else:
            reasons[id(record)] = reason

    pairs = Pairs(options)
    of_tasks: set[int] = set()
    for _, members in sorted(tasks.items()):
        if {ACCEPTED} < {category for _, category in members}:
            of_tasks |= {id(record) for record, _ in members}
    for record in records:
        if id(record) in of_tasks and id(record) in reasons:
            pairs.stopped.append(quarantined("preference", reasons[id(record)], record))
    by_task = grouped((record, category) for record, category in survivors if id(record) in of_tasks)
    for _, task in sorted(by_task.items()):
        pairs.take(within_task(task))
    if options.cross_stream:
        for _, subject in sorted(about_subjects(survivors).items()):
            pairs.take(across_streams(subject, options))
    settled = [record for record in records if is_settled(record, categories)]
    pairs.stopped += stopped_settled(settled, reasons, of_tasks)
    pairs.take(settled_pairs(record for record in settled if id(record) not in reasons), most=None)
    return by_id(pairs.exported), pairs.stopped, pairs.capped


def row_gates(record: Row, category: str, options: Options, disputed: set[Texts]) -> str | None:
    """The reason why a record may not be paired."""
    empty = is_blank(record["content"]) or (category == ACCEPTED and is_blank(record["instruction"]))
    return (
        provenance_gates(record, category)
        or ("empty_content" if empty else None)
        or path_gate(record, options)
        or conflict_gate(record, disputed)
    )


# --- within a task


def grouped(survivors: Iterable[tuple[Row, str]]) -> dict[str, dict[str, list[Row]]]:
    """The first ten of each category, by task."""
    tasks: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {ACCEPTED: [], REJECTED: [], PARTIAL: []})
    for record, category in survivors:
        tasks[record["task_id"]][category].append(record)
    return {task: {category: first(members) for category, members in held.items()} for task, held in tasks.items()}


def within_task(task: dict[str, list[Row]]) -> Iterator[Candidate]:
    """(chosen, rejected, reason) of one task: rejected ones first, each by (max(i, j), i, j)."""
    for worse in (REJECTED, PARTIAL):
        yield from diagonal(task[ACCEPTED], task[worse], f"accepted_over_{worse}", lambda chosen, rejected: True)


# --- across streams


def about_subjects(survivors: list[tuple[Row, str]]) -> dict[str, dict[str, list[Row]]]:
    """The accepted and the rejected records by subject."""
    subjects: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {ACCEPTED: [], REJECTED: []})
    for record, category in survivors:
        if category in (ACCEPTED, REJECTED) and not is_blank(record["subject"]):
            subjects[record["subject"]][category].append(record)
    return subjects


def across_streams(subject: dict[str, list[Row]], options: Options) -> Iterator[Candidate]:
    def partners(chosen: Row, rejected: Row) -> bool:
        same_question = is_blank(rejected["instruction"]) or trim(rejected["instruction"]) == trim(chosen["instruction"])
        apart = abs(chosen["occurred_at"] - rejected["occurred_at"])
        return (
            same_question
            and chosen["source"] != rejected["source"]
            and chosen["task_id"] != rejected["task_id"]
            and apart <= timedelta(days=options.cross_stream_days)
        )

    accepted = [one for one in subject[ACCEPTED] if any(partners(one, other) for other in subject[REJECTED])]
    rejected = [one for one in subject[REJECTED] if any(partners(other, one) for other in subject[ACCEPTED])]
    return diagonal(first(accepted), first(rejected), "cross_stream", partners)


# --- settled


def is_settled(record: Row, categories: Categories) -> bool:
    """Somebody decided between two answers, and nothing of it is blank."""
    whole = not any(is_blank(record[name]) for name in ("instruction", "content", "alternative_content"))
    return categories[record["source"], record["sig_hash"]] == ACCEPTED and whole


def stopped_settled(settled: list[Row], reasons: dict[int, str], of_tasks: set[int]) -> Iterator[Row]:
    for record in settled:
        if id(record) not in reasons and record["alternative_run_id"] is None:
            reasons[id(record)] = "missing_source_run_id"
            yield quarantined("preference", "missing_source_run_id", record)
        elif id(record) in reasons and id(record) not in of_tasks:
            yield quarantined("preference", reasons[id(record)], record)


def settled_pairs(settled: Iterable[Row]) -> Iterator[Candidate]:
    """The loser stands in the record of the winner."""
    for record in in_order(settled):
        loser = record | {"content": record["alternative_content"], "run_id": record["alternative_run_id"]}
        yield record, loser, "settled_discrepancy"


# --- what all three share


def in_order(records: Iterable[Row]) -> list[Row]:
    return sorted(records, key=lambda record: (record["occurred_at"], record["sig_hash"], record["source"]))


def first(records: Iterable[Row]) -> list[Row]:
    return in_order(records)[:CONSIDERED]


def diagonal(accepted: list[Row], rejected: list[Row], why: str, fit: Callable[[Row, Row], bool]) -> Iterator[Candidate]:
    """Those that fit each other, by (max(i, j), i, j)."""
    numbers = [(i, j) for i in range(len(accepted)) for j in range(len(rejected))]
    for i, j in sorted(numbers, key=lambda ij: (max(ij), ij)):
        if fit(accepted[i], rejected[j]):
            yield accepted[i], rejected[j], why


def preference_row(chosen: Row, rejected: Row, why: str) -> Row:
    """One exported pair."""
    return {
        "schema_version": 1,
        "id": make_id("pref", chosen["instruction"], chosen["content"], rejected["content"]),
        "prompt": chosen["instruction"],
        "chosen": chosen["content"],
        "rejected": rejected["content"],
        "reason": why,
        "chosen_run_id": chosen["run_id"],
        "rejected_run_id": rejected["run_id"],
        "task_id": chosen["task_id"],
        "created_at": timestamp(chosen["occurred_at"]),
        "provenance": provenance(chosen),
        "rejected_provenance": provenance(rejected),
    }

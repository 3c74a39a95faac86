"""Contracts sections 4 and 10: preference pairs within tasks, across streams, and of settled discrepancies, in this order.

Choices where the page is silent:
- Records with one (occurred_at, sig_hash) in a group or subject and category (the same row in two streams) are told apart by
  source.
- Records beyond the first 10 of a group (or subject) and category are neither quarantined nor counted.
- Pair gates see every candidate pair, also after the fifth. A capped pair has passed, so a later pair with
  its id is a duplicate.
- A record whose group has nothing to pair it with is not in quarantine for preference, and neither is one without a group: a
  blank instruction has none, unless the whole task is one. A borrowed verdict makes no group take part.
- Across streams, a partner is a record that passed the row gates, too. `max_pairs` is of tasks: of a subject, five come out.
- Settled pairs neither contradict others nor are contradicted.
- In a settled pair, a loser without a run is `missing_source_run_id`. A settled record that a row gate stops is quarantined for
  it, but once only: not where its group took part and did so already.
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
OF_SUBJECT = 5

Candidate = tuple[Row, Row, str]
Judged = tuple[Row, str]
Group = dict[str, list[Row]]


@dataclass
class Pairs:
    """What came of the candidates so far. `directions`: prompt and sides, trimmed, of all that could contradict each other."""

    options: Options
    directions: set[tuple[str, str, str]]
    exported: list[Row] = field(default_factory=list)
    stopped: list[Row] = field(default_factory=list)
    capped: int = 0
    passed_ids: set[str] = field(default_factory=set)

    def take(self, candidates: Iterable[Candidate], most: int | None) -> None:
        """Puts candidates through the pair gates; beyond the first `most` that pass they are capped."""
        exported_here = 0
        for candidate in candidates:
            pair = preference_row(*candidate)
            reason = self.pair_gates(pair, candidate)
            if reason is not None:
                self.stopped.append(quarantined("preference", reason, candidate[0]))
                continue
            self.passed_ids.add(pair["id"])
            if most is None or exported_here < most:
                exported_here += 1
                self.exported.append(pair)
            else:
                self.capped += 1

    def pair_gates(self, pair: Row, candidate: Candidate) -> str | None:
        """The reason why two texts that passed the row gates may not be a pair."""
        if pair["chosen_run_id"] == pair["rejected_run_id"]:
            return "self_pairing"
        if trim(pair["chosen"]) == trim(pair["rejected"]):
            return "invalid_preference_pairing"
        most = self.options.max_chars
        if most is not None and pair["chosen"][:most] == pair["rejected"][:most]:
            return "invalid_preference_pairing"
        prompt, chosen, rejected = direction(candidate)
        if candidate[2] != "settled_discrepancy" and (prompt, rejected, chosen) in self.directions:
            return "conflicting_verdict"
        return "duplicate_id" if pair["id"] in self.passed_ids else None


def direction(candidate: Candidate) -> tuple[str, str, str]:
    """Which text a pair puts above which, and for which prompt: white space around them aside."""
    chosen, rejected, _ = candidate
    return trim(chosen["instruction"]), trim(chosen["content"]), trim(rejected["content"])


def export_preference(
    records: list[Row], categories: Categories, borrowed: set[tuple[str, str]], options: Options
) -> tuple[list[Row], list[Row], int]:
    """(exported pairs sorted by id, quarantine rows of records and of pairs, how many pairs were capped).

    borrowed: source and sig_hash of the records whose verdict is that of their parents
    """
    disputed = disputed_texts(records, categories)
    judged = [
        (record, categories[record["source"], record["sig_hash"]])
        for record in records
        if (record["source"], record["sig_hash"]) not in borrowed
    ]
    judged = [(record, category) for record, category in judged if category != REVIEW]
    reasons = {id(record): row_gates(record, category, options, disputed) for record, category in judged}
    survivors = [(record, category) for record, category in judged if reasons[id(record)] is None]

    tasks = groups_of_tasks(judged, options)
    members = {id(record) for groups in tasks.values() for group in groups.values() for record, _ in group}
    within = {task: within_task(groups, reasons) for task, groups in sorted(tasks.items())}
    subjects = sorted(about_subjects(survivors).items()) if options.cross_stream else []
    across = {subject: list(across_streams(held, options)) for subject, held in subjects}

    pairs = Pairs(options, {direction(one) for held in (*within.values(), *across.values()) for one in held})
    for record, _ in judged:
        if id(record) in members and (reason := reasons[id(record)]) is not None:
            pairs.stopped.append(quarantined("preference", reason, record))
    for candidates in within.values():
        pairs.take(candidates, options.max_pairs)
    for candidates in across.values():
        pairs.take(candidates, OF_SUBJECT)
    settled = [record for record, category in judged if is_settled(record, category)]
    pairs.stopped += stopped_settled(settled, reasons, members)
    pairs.take(settled_pairs(record for record in settled if reasons[id(record)] is None), most=None)
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


def groups_of_tasks(judged: list[Judged], options: Options) -> dict[str, dict[str, list[Judged]]]:
    """By task, by what was asked: the groups that have something accepted and something that was not, or not at once."""
    tasks: dict[str, dict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for record, category in judged:
        if options.pairs == "task":
            tasks[record["task_id"]][""].append((record, category))
        elif not is_blank(record["instruction"]):
            tasks[record["task_id"]][trim(record["instruction"])].append((record, category))
    return {
        task: {asked: group for asked, group in groups.items() if {ACCEPTED} < {category for _, category in group}}
        for task, groups in tasks.items()
    }


def within_task(groups: dict[str, list[Judged]], reasons: dict[int, str | None]) -> list[Candidate]:
    """The candidates of one task: rejected ones first, each by (max(i, j), i, j, what was asked)."""
    found: list[Candidate] = []
    for worse in (REJECTED, PARTIAL):
        of_groups = []
        for asked, group in groups.items():
            accepted, other = (
                first(record for record, held in group if held == category and reasons[id(record)] is None)
                for category in (ACCEPTED, worse)
            )
            numbers = [(max(i, j), i, j) for i in range(len(accepted)) for j in range(len(other))]
            of_groups += [((*number, asked.encode()), accepted[number[1]], other[number[2]]) for number in numbers]
        of_groups.sort(key=lambda one: one[0])
        found += [(chosen, rejected, f"accepted_over_{worse}") for _, chosen, rejected in of_groups]
    return found


# --- across streams


def about_subjects(survivors: list[Judged]) -> dict[str, Group]:
    """The accepted and the rejected records by subject."""
    subjects: dict[str, Group] = defaultdict(lambda: {ACCEPTED: [], REJECTED: []})
    for record, category in survivors:
        if category in (ACCEPTED, REJECTED) and not is_blank(record["subject"]):
            subjects[record["subject"]][category].append(record)
    return subjects


def across_streams(subject: Group, options: Options) -> Iterator[Candidate]:
    def partners(chosen: Row, rejected: Row) -> bool:
        if is_blank(rejected["instruction"]):
            same_question = options.pairs == "task"
        else:
            same_question = trim(rejected["instruction"]) == trim(chosen["instruction"])
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


def is_settled(record: Row, category: str) -> bool:
    """Somebody decided between two answers, and nothing of it is blank."""
    whole = not any(is_blank(record[name]) for name in ("instruction", "content", "alternative_content"))
    return category == ACCEPTED and whole


def stopped_settled(settled: list[Row], reasons: dict[int, str | None], members: set[int]) -> Iterator[Row]:
    for record in settled:
        reason = reasons[id(record)]
        if reason is None and record["alternative_run_id"] is None:
            reasons[id(record)] = "missing_source_run_id"
            yield quarantined("preference", "missing_source_run_id", record)
        elif reason is not None and id(record) not in members:
            yield quarantined("preference", reason, record)


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
        "prompt_match": prompt_match(chosen["instruction"], rejected["instruction"]),
        "rejected_prompt": rejected["instruction"],
    }


def prompt_match(prompt: str, other: str | None) -> str:
    """What the rejected side was asked, beside the prompt."""
    if other is None or is_blank(other):
        return "blank"
    return "same" if trim(other) == trim(prompt) else "other"

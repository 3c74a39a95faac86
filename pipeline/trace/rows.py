"""From exported rows, and from records, back to the lines that they came from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.trace import hashes
from pipeline.trace.links import Links
from pipeline.trace.physical import Place, file_and_line
from pipeline.trace.state import Row, State, place_of
from pipeline.trace.steps import Chain, Check, Outcome, Step, Trace, checked

Generations = Mapping[str, int]


def trace_rows(state: State, data: Path, ids: Sequence[str], generations: Generations, newest: bool) -> dict[str, Trace]:
    """Returns the traces of those ids that are exported in this state."""
    state.name(ids)
    sides: dict[str, list[Row]] = defaultdict(list)
    for row in state.ask("sides"):
        sides[row["id"]].append(row | {name: row["provenance"][name] for name in ("source_file", "line_offset", "sig_hash")})
    links = Links.gather(state, data, [side for held in sides.values() for side in held], generations)
    at = state.snapshot
    return {
        asked: Trace(
            asked=asked,
            kind="row",
            snapshot=at.snapshot,
            run_id=at.run_id,
            is_newest=newest,
            row=_row(links, held),
            chains=tuple(_chain(links, side) for side in sorted(held, key=lambda side: str(side["side"]))),
        )
        for asked, held in sides.items()
    }


def trace_records(state: State, data: Path, asked: str, generations: Generations, newest: bool) -> Trace | None:
    """Returns the records that a hash or a run names, and what became of them; None where it names none."""
    state.name([asked])
    found = sorted(state.ask("named"), key=lambda row: (row["source"], *place_of(row)))
    if not found:
        return None
    links = Links.gather(state, data, found, generations)
    became = outcomes(state)
    chains = [
        Chain(file_and_line(place_of(row)), record_steps(links, place_of(row), row), tuple(became[place_of(row)]))
        for row in found
    ]
    return Trace(asked, "record", state.snapshot.snapshot, state.snapshot.run_id, newest, chains=tuple(chains))


def record_steps(links: Links, place: Place, side: Mapping[str, Any]) -> tuple[Step, ...]:
    """Returns the links from a record's score down to its source."""
    sig_hash = side["sig_hash"]
    return (
        links.score(place, sig_hash),
        links.record(place, side),
        links.line(place, sig_hash),
        links.source(place, sig_hash),
    )


def outcomes(state: State) -> dict[Place, list[Outcome]]:
    """Returns what became of the records at the traced places: exported as which rows, stopped by which gates."""
    found: dict[Place, list[Outcome]] = defaultdict(list)
    for row in sorted(state.released(), key=lambda row: (row["export"], row["id"], row["side"])):
        found[place_of(row)].append(Outcome(row["export"], "exported", row["side"], id=row["id"]))
    for row in sorted(state.ask("stopped"), key=lambda row: (row["export"], row["reason"], row["detail"] or "", row["side"])):
        outcome = "capped" if row["reason"] == "capped" else "quarantined"
        stopped = Outcome(row["export"], outcome, row["side"], reason=row["reason"], detail=row["detail"])
        found[place_of(row)].append(stopped)
    return found


def _chain(links: Links, side: Row) -> Chain:
    return Chain(side["side"], record_steps(links, place_of(side), side))


def _row(links: Links, sides: list[Row]) -> Step:
    """The exported row itself: its id worked out from its texts, and what it says of its records held against them."""
    row = sides[0]
    export, texts = row["export"], row["texts"]
    earlier = hashes.earlier_row_id(export, texts)
    checks = [Check.of("id", row["id"], earlier if row["id"] == earlier else hashes.row_id(export, texts))]
    for side in sides:
        record = next(iter(links.records.get(place_of(side), ())), {})
        score = next(iter(links.scores.get(place_of(side), ())), {})
        said = {name: side[name] for name in ("title", "run_id", "task_id", "occurred_at") if side[name] is not None}
        prefix = "" if side["side"] == "row" else f"{side['side']} "
        checks += [Check.of(f"{prefix}{name}", value, record.get(name)) for name, value in said.items()]
        checks.append(Check.of(f"{prefix}recorded_at", side["provenance"]["recorded_at"], record.get("recorded_at")))
        if side["category"] is not None:
            checks.append(Check.of(f"{prefix}category", side["category"], score.get("category")))
    facts = {"id": row["id"], "export": export, "texts": texts}
    says = f"{export}; its id is the sha256 of its texts, and it says what its {_records(sides)}"
    return checked("exported row", links.state.at(f"exports.{export}"), says, checks, facts)


def _records(sides: list[Row]) -> str:
    return "record says" if len(sides) == 1 else "records say"

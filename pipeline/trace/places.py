"""From a line of a source file to everything that came of it, in whatever snapshot."""

from collections import defaultdict
from pathlib import Path

from pipeline.trace.links import Links
from pipeline.trace.physical import Place, file_and_line
from pipeline.trace.rows import Generations, outcomes
from pipeline.trace.state import EXPORTS, History, Row, State, bind_with_names
from pipeline.trace.steps import NONE, OK, Chain, Outcome, Release, Step, Trace


def trace_place(state: State, history: History, data: Path, place: Place, asked: str, generations: Generations) -> Trace | None:
    """Returns what was landed at a place, what it became, and all that was ever exported; None where nothing was landed."""
    where = {"source_file": place[0], "line_offset": place[1]}
    links = Links.gather(state, data, [where], generations)
    lines = sorted(links.lines.get(place, ()), key=lambda line: -line["generation"])
    if not lines:
        return None
    current = links.current(place)
    if current is not None:
        state.stand_at([current])
    became: list[Outcome] = outcomes(state)[place]
    chains = [_chain(links, place, line, became) for line in lines]
    released = releases(state, history)
    return Trace(
        asked=asked,
        kind="line",
        snapshot=state.snapshot.snapshot,
        run_id=state.snapshot.run_id,
        is_newest=state.snapshot == history.newest,
        chains=tuple(chains),
        released=tuple(released),
        notes=tuple(history.notes()),
    )


def releases(state: State, history: History) -> list[Release]:
    """Returns every row that any snapshot's exports hold from the traced places, and which snapshots those are."""
    holders = {}
    for export in EXPORTS:
        holders[export] = history.holders(f"exports.{export}")
        bind_with_names(state.opened, export, tuple(holders[export]))
    held: dict[tuple[str, str, str, str], dict[int, str]] = defaultdict(dict)
    for row in state.ask("released"):
        snapshots = holders[row["export"]][row["filename"]]
        held[row["export"], row["id"], row["side"], row["sig_hash"]] |= {s.snapshot: s.run_id for s in snapshots}
    found = []
    for (export, row_id, side, sig_hash), runs in sorted(held.items()):
        numbers = tuple(sorted(runs))
        first, last = runs[numbers[0]], runs[numbers[-1]]
        found.append(Release(export, row_id, side, sig_hash, numbers, first, last, history.newest.snapshot in runs))
    return found


def _chain(links: Links, place: Place, line: Row, became: list[Outcome]) -> Chain:
    name = f"generation {line['generation']}"
    raw = links.line(place, None, line)
    if not line["is_current"]:
        says = "the file was rewritten since, which was accepted; what this line became is in earlier snapshots"
        return Chain(name, (raw, Step("superseded", links.state.at("raw.files"), NONE, says)), ())
    steps = [*_meaning(links, place, line), raw, links.source(place, line["sig_hash"])]
    return Chain(name, tuple(steps), tuple(became))


def _meaning(links: Links, place: Place, line: Row) -> list[Step]:
    """What the line is in the warehouse: a record with its score, a repeat of another one, skipped, or nothing."""
    state = links.state
    if any(record["sig_hash"] == line["sig_hash"] for record in links.records.get(place, ())):
        return [links.score(place, line["sig_hash"]), links.record(place, {"sig_hash": line["sig_hash"]})]
    for skip in state.ask("skips"):
        if skip["line_sha256"] != line["line_sha256"]:
            continue
        says = f"{skip['reason']}: {skip['detail']}" if skip["detail"] else skip["reason"]
        return [Step("skipped", state.at("evidence.skips"), OK, says, (), {"reason": skip["reason"], "detail": skip["detail"]})]
    for first in state.ask("repeated"):
        other = file_and_line((first["first_source_file"], first["first_line_offset"]))
        facts = {"source_file": first["first_source_file"], "line_offset": first["first_line_offset"]}
        return [Step("repeat", state.at("evidence.records"), OK, f"says the same as {other}, which is the record", (), facts)]
    says = "no record came of it: its stream has no model, or no run has built evidence since it landed"
    return [Step("record", state.at("evidence.records"), NONE, says)]

"""What to say to who asked for something that is not there: what it should look like, and what comes near."""

from difflib import get_close_matches
from pathlib import Path

from pipeline.trace.state import History, State

IDS = (
    "ids look like rag-0123456789abcdef, sft-..., pref-... or playbook-...; "
    "a record goes by its sig_hash (64 hex digits) or by its run_id; a line by --line FILE:N"
)
PLACES = (
    "FILE is the path below the data directory, as in raw.lines.source_file, and N counts its lines from 1, as editors do: "
    "`distill trace --line NAME.jsonl:1` shows the first line of NAME.jsonl"
)
_NEAR = """
    with ids as (
        select id from exports.rag
        union select id from exports.sft
        union select id from exports.preference
        union select id from exports.playbooks
        union select run_id from evidence.records
        union select sig_hash from evidence.records
    )
    select id from ids
    where starts_with(id, ?) or levenshtein(id, ?) <= 2
    order by starts_with(id, ?) desc, levenshtein(id, ?), id
    limit 3
"""


def shown(text: str) -> str:
    """Returns a text of the user's as a message may show it: on one line, without what a terminal obeys, and not endless."""
    return ascii(text if len(text) <= 120 else f"{text[:120]}...")


def unknown_id(state: State, asked: str, as_of: str | None, history: History) -> str:
    """Returns the message for an id that nothing goes by."""
    where = f"in the snapshot of run {state.snapshot.run_id}" if as_of is not None else "in any published snapshot"
    told = [f"nothing goes by {shown(asked)} {where}"]
    beginning = asked[:120]
    if len(beginning) >= 4 and (near := state.opened.engine.rows(_NEAR, [beginning] * 4)):
        told.append(f"did you mean {', '.join(shown(row['id']) for row in near)}?")
    told += [IDS, *history.notes()]
    return "; ".join(told)


def unknown_place(state: State, name: str, offset: int, data: Path) -> str:
    """Returns the message for a place where no line was landed."""
    query = "select source_file, lines from raw.files order by source_file, generation, lines"
    known = {row["source_file"]: row["lines"] for row in state.opened.engine.rows(query)}
    if name in known and offset < known[name]:
        return f"line {offset + 1} of {shown(name)} is blank: blank lines are counted, not landed"
    if name in known:
        return f"the landed lines of {shown(name)} go from 1 to {known[name]}: there is no line {offset + 1}"
    below = name.removeprefix(f"{data}/").removeprefix("./")
    near = [below] if below in known else get_close_matches(name, known, n=3)
    meant = f"did you mean {', '.join(map(shown, near))}? " if near else ""
    return f"no line was landed from a file {shown(name)}; {meant}{PLACES}"

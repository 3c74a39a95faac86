"""From a playbook to the rows that it shows, and from each of them to its line."""

from pathlib import Path

from pipeline.trace import hashes
from pipeline.trace.rows import Generations, trace_rows
from pipeline.trace.state import Row, State
from pipeline.trace.steps import MISSING, Chain, Check, Step, Trace, checked


def trace_playbook(state: State, data: Path, asked: str, generations: Generations, newest: bool) -> Trace | None:
    """Returns the chains behind the exemplars and warnings of a playbook; None where there is no such playbook."""
    state.name([asked])
    found = state.ask("playbooks")
    if not found:
        return None
    step = _playbook(state, found[0])
    shown = [*found[0]["exemplars"], *found[0]["warnings"]]
    traced = trace_rows(state, data, shown, generations, newest)
    chains = [_chain(state, row_id, traced.get(row_id)) for row_id in shown]
    at = state.snapshot
    return Trace(asked, "playbook", at.snapshot, at.run_id, newest, row=step, chains=tuple(chains))


def _playbook(state: State, row: Row) -> Step:
    """The playbook itself: its id from its title, the hash of its evidence from the rows that name it, that of its page."""
    members = sorted(f"{member['id']} {member['category']}" for member in state.ask("playbook_rows"))
    checks = [
        Check.of("id", row["id"], hashes.playbook_id(row["title"])),
        Check.of("evidence_sha256", row["evidence_sha256"], hashes.text_sha256("\n".join(members))),
        Check.of("rows", row["accepted"] + row["partially_accepted"], len(members)),
        Check.of("page_sha256", row["page_sha256"], hashes.text_sha256(row["page"])),
    ]
    facts = {name: row[name] for name in ("id", "title", "file", "evidence_sha256", "exemplars", "warnings")}
    says = f"made of {len(members)} rows of rag, and shows {len(row['exemplars']) + len(row['warnings'])}; page {row['file']}"
    return checked("playbook", state.at("exports.playbooks"), says, checks, facts)


def _chain(state: State, row_id: str, traced: Trace | None) -> Chain:
    if traced is None:
        return Chain(row_id, (Step("exported row", state.at("exports.rag"), MISSING, f"no row {row_id}"),))
    return Chain(row_id, tuple(traced.steps))

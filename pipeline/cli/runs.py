"""The commands that write: run-all and its stages."""

import json
import sys
from typing import Any

import click

from pipeline import advice
from pipeline.cli.console import complain
from pipeline.cli.options import Command, run_options, settings_from
from pipeline.reports.summary import drifted

_HELP = {
    "run-all": """Land, build evidence, score, and export what passes every gate.

    Only what changed is done; a run on unchanged input says so. Nothing is published unless every stage came through.
    """,
    "land": """Land new lines in raw.lines, as they are.

    A stream is a file NAME.jsonl or NAME.ndjson, or all files below a folder NAME; .gz and .zst are unpacked. Files with any
    other ending, and hidden ones, are passed over and named. Of a line longer than --max-line only size, hash and beginning
    land; what is landed stays as it is, whatever --max-line is later. The stages after it are then behind, which this command
    and `health` say.
    """,
    "build-evidence": "Turn landed lines into evidence.records and evidence.skips.",
    "score": "Give every record its category and reasons.",
    "export-rag": "Export the retrieval corpus.",
    "export-sft": "Export the fine-tuning corpus.",
    "export-preference": "Export the preference pairs.",
    "extract-playbooks": "Draw playbooks from the retrieval corpus.",
    "export-all": "Export all three corpora, and extract the playbooks.",
    "index": "Bring the full-text index up to the retrieval corpus.",
}


def _command(name: str, text: str) -> click.Command:
    @click.command(name, cls=Command, help=text, short_help=text.split("\n")[0].split(". ")[0].removesuffix(".") + ".")
    @run_options
    def run(as_json: bool, fail_on: str, **options: Any) -> None:
        from pipeline.cli.terminal import Terminal  # slow to load, and --help does not need it
        from pipeline.runner import run_stages

        settings = settings_from(options)
        terminal = Terminal(quiet=as_json)
        outcome = run_stages(settings, terminal, name)
        moved = drifted(outcome.drift["metrics"]) if outcome.drift is not None else []
        if as_json:
            document: dict[str, Any] = {"summary": outcome.summary, "receipts": outcome.receipts, "drift": outcome.drift}
            document["error"] = str(outcome.failure) if outcome.failure else None
            document |= {"gates_off": list(outcome.open_gates), "drift_warnings": moved}
            click.echo(json.dumps(document, ensure_ascii=False))
        else:
            terminal.conclude(outcome, settings, moved)
        if outcome.failure is not None:
            if as_json:
                complain(outcome.failure)
            sys.exit(outcome.failure.exit_code)
        if moved and fail_on == "warn":
            complain(
                f"drift warns of {len(moved)} counts, and --fail-on warn allows none; run {outcome.run_id} is "
                f"published all the same. To look: `{advice.command('receipts', '--run-id', outcome.run_id)}`; "
                f"to take it back: `{advice.command('restore', '--to', '1 run ago')}`"
            )
            sys.exit(1)

    return run


RUN_COMMANDS = tuple(_command(name, text) for name, text in _HELP.items())

"""Writes docs/tables.md, models.md, acceptance.md and cli.md from what the code declares; `--check` says which are stale."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from sqlglot import exp

from pipeline import models
from pipeline.cli import main as distill
from pipeline.models import Library, Model, tables
from pipeline.models.compile import sources_of
from pipeline.models.tables import Table

SQL = Path("sql")
DOCS = Path("docs")
MARK = "<!-- Written by `make docs` from {source}; edit those instead. -->"
ROOMS = {
    "evidence": "From a raw line to the columns of a record. Files with an underscore serve all streams.",
    "scored": "From a record to a category and its reasons.",
    "exports": "From scores to the corpora, through the gates.",
    "drift": "What differs from the run before.",
    "ledger": "From scores to what each model is worth on each type of task, and who comes first.",
    "health": "What the streams cover, and what they lack to be scored. No run reads these.",
    "replay": "What retrieved rows say is to be verified, and how replays went. No run reads these.",
    "trace": "From an exported row back to its line, and from a line to all that came of it. No run reads these.",
    "checks": "What must return nothing: one row is a failure, and nothing is published.",
}
ACCEPTANCE = """
`distill acceptance` asks whether this installation does what it promises. It takes some seconds, reads and changes nothing of
yours, and ends with `22/22` and exit code 0, or shows the first rows that break an invariant and ends with 1.

**The fixture** ships with the package: `pipeline/acceptance/streams/` holds the lines as agents write them, dirt and all, and
`pipeline/acceptance/expected/` has one word for every physical line: the category of its record, the reason why it is skipped,
or `duplicate`, `blank`, `partial_tail`, `unmapped`.

**The runs.** Several temporary warehouses are filled with it, and the invariants compare them:

| name | what is run |
|---|---|
| `main` | everything, with a list of known paths |
| `again` | the same once more in the same warehouse |
| `leak` | once more there, with a hole planted in the firewall of rag |
| `fresh` | everything in another warehouse, told the same time of landing |
| `partial`, `review` | there, with `--include-partial`, then with `--include-review` |
| `without` | half of the streams alone |
| `lossy` | with scores that lose their place or their task, which tables as declared would refuse: gates must see it too |

**The invariants** are one SQL file each in `sql/acceptance/`. Each selects what breaks it, so no rows means that it holds. They
read the tables of `main` under their own names, its published files as `files.<corpus>`, those of another run as
`<run>.<table>`, the fixture as `fixture.lines` (with hashes computed by the standard library alone), and what was noted of
runs, stages, table versions, files and receipts as `facts.*`. `tests/acceptance/test_acceptance.py` breaks each property and
sees that check fail, and no other.

With `--sql DIR` the same is asked of our models with yours among them.
""".strip().splitlines()


def tables_page(declared: dict[str, Table]) -> str:
    """Returns the page of all tables: what one row is, and what each column means."""
    lines = ["# Tables", "", MARK.format(source="sql/tables/"), ""]
    lines += ["Times are UTC. `distill tables` shows the same with rows and versions, as they are now or were at any run.", ""]
    lines += _table(("table", "one row per", "what it is"), [(_link(t.name), _grain(t), t.title) for t in declared.values()])
    for table in declared.values():
        lines += [f"## {table.name}", "", table.title, "", f"One row per {_grain(table)}."]
        if table.key:
            lines[-1] += f" Its key: {_codes(table.key)}."
        rows = [(f"`{c.name}`", f"`{c.type}`", "may be null" if c.nullable else "", c.meaning) for c in table.columns]
        lines += ["", *_table(("column", "type", "", "meaning"), rows)]
        if table.checks:
            lines += ["Every row holds to this:", "", *(f"- `{check}`" for check in table.checks.values()), ""]
    return _page(lines)


def models_page(library: Library) -> str:
    """Returns the page of all models, by room: what each says, its version, and what it reads."""
    lines = ["# Models", "", MARK.format(source="the headers below sql/"), ""]
    lines += ["How they are written and how they fit together: [sql/README.md](../sql/README.md).", ""]
    for room, text in ROOMS.items():
        held = [model for name, model in sorted(library.models.items()) if model.room == room]
        lines += [f"## {room}", "", text, ""]
        lines += _table(("model", "version", "what it says", *_columns(room)), [_row(model) for model in held])
    return _page(lines)


def cli_page(group: click.Group) -> str:
    """Returns the page of the command: what every subcommand does, its arguments and its options."""
    lines = ["# The command `distill`", "", MARK.format(source="pipeline/cli/"), "", *_help(group), ""]
    rows = [(_link(name), _help(command)[0]) for name, command in _commands(group)]
    lines += _table(("command", "what it does"), rows)
    shown: dict[tuple[tuple[str, ...], ...], str] = {}
    for name, command in _commands(group):
        context = click.Context(command, info_name=f"distill {name}")
        lines += [f"## {name}", "", f"    {command.get_usage(context).removeprefix('Usage: ')}", "", *_help(command), ""]
        options = tuple(_options(command))
        if options in shown:
            lines += [f"Its options are those of [{shown[options]}](#{shown[options].replace(' ', '-')}).", ""]
        elif options:
            lines += _table(("option", "environment", "default", "meaning"), options)
            shown[options] = name
    return _page(lines)


def _commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yields every command by its full name; those of a group in its place."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", held) for inner, held in _commands(command))
        else:
            yield name, command


def acceptance_page(library: Library) -> str:
    """Returns the page of the invariants: what each says, and what one row of its SQL would mean."""
    lines = ["# Acceptance", "", MARK.format(source="the headers of sql/acceptance/ and tools/docs.py"), "", *ACCEPTANCE, ""]
    rows = [(*model.stem.split("_", 1), model.title, model.grain) for model in library.room("acceptance")]
    return _page([*lines, *_table(("", "invariant", "what holds", "it breaks with"), [_invariant(*row) for row in rows])])


def _invariant(number: str, name: str, title: str, grain: str) -> tuple[str, ...]:
    return str(int(number)), f"[`{name}`](../sql/acceptance/{number}_{name}.sql)", title, grain


def _columns(room: str) -> tuple[str, ...]:
    return {"evidence": ("keys of the line",), "scored": ("streams",), "checks": ("stage", "reads")}.get(room, ("reads",))


def _row(model: Model) -> tuple[str, ...]:
    row = (f"`{model.stem}`", str(model.version), model.title)
    reads = _codes(sorted(model.inputs))
    if model.room == "evidence":
        return (*row, _codes(_keys(model)))
    if model.room == "scored":
        return (*row, "" if model.is_shared else _codes(sources_of(model)))
    return (*row, model.head("stage"), reads) if model.room == "checks" else (*row, reads)


def _keys(model: Model) -> list[str]:
    """The keys of a JSON line that a model names as `field.x`."""
    columns = (column.parts for column in model.query.find_all(exp.Column))
    return sorted({".".join(part.name for part in parts[1:]) for parts in columns if parts[0].name == "field"})


def _help(command: click.Command) -> list[str]:
    text = (command.help or "").strip()
    verbatim = False
    lines = []
    for line in (line.strip() for line in text.splitlines()):
        if line == "\b":
            verbatim = True
            continue
        verbatim = verbatim and bool(line)
        lines.append(f"    {line}" if verbatim else line)
    return lines


def _options(command: click.Command) -> Iterator[tuple[str, ...]]:
    for option in command.params:
        if isinstance(option, click.Option):
            value = "" if option.is_flag else f" {option.make_metavar(click.Context(command))}"
            default = f"`{option.default}`" if option.show_default and option.default is not None else ""
            yield _codes(option.opts) + value, f"`{option.envvar}`" if option.envvar else "", default, option.help or ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*head, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows), ""]


def _cell(text: str) -> str:
    """A text that is safe in a Markdown table: bars end a cell, and angle brackets would be HTML outside of code."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part.replace("<", "&lt;") if number % 2 == 0 else part for number, part in enumerate(parts))


def _grain(table: Table) -> str:
    return table.grain.removeprefix("one row per ")


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _link(name: str) -> str:
    return f"[`{name}`](#{name.replace('.', '').replace(' ', '-')})"


def _page(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def pages() -> dict[Path, str]:
    """Returns every generated page as it should be."""
    return {
        DOCS / "tables.md": tables_page(tables.load([SQL])),
        DOCS / "models.md": models_page(models.load([SQL])),
        DOCS / "acceptance.md": acceptance_page(models.load([SQL])),
        DOCS / "cli.md": cli_page(distill),
    }


def main() -> int:
    """Writes the pages, or with --check returns 1 where one is stale."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{path} is stale; run `make docs`" for path in stale) or "docs: every generated page is up to date")
        return 1 if stale else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

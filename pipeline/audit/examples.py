"""Good and bad examples of every contract: a schema that refuses nothing protects nothing."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import fastjsonschema

from pipeline.models.tables import violation
from pipeline.reports.receipts import SCHEMAS, compiled
from pipeline.run import Run


def problems(schema: str, document: dict[str, Any]) -> list[str]:
    """Returns what is wrong with a document; nothing where it fits."""
    try:
        compiled((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))(document)
    except fastjsonschema.JsonSchemaValueException as error:
        return [error.message]
    return []


def documents() -> list[str]:
    """Holds every schema against its examples: those it gives itself fit, and none with a member less, or more, does."""
    found = []
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        good = schema.get("examples", [])
        if not good:
            found.append(f"{path.stem}: gives no example")
        for document in good:
            found += [f"{path.stem}: refuses its own example: {problem}" for problem in problems(path.stem, document)]
            takes = [name for name, bad in _spoilt(document, schema) if not problems(path.stem, bad)]
            found += [f"{path.stem}: takes its example with {name}" for name in takes]
    return found


def _spoilt(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in schema.get("required", []):
        yield f"no {name}", {key: value for key, value in document.items() if key != name}
        yield f"an odd {name}", copy.deepcopy(document) | {name: {"odd": ["value"]}}
    yield "a member that nobody knows", document | {"unknown member": 1}


def tables(run: Run) -> list[str]:
    """Holds every table's declaration against a row that it holds, and that row with a null where none may be."""
    found = []
    for name, table in run.store.tables.items():
        run.bind_now(name)
        run.engine.materialise("run.example", f"select * from {name} limit 1")
        if not run.engine.value("select count(*) as n from run.example"):
            continue
        if run.engine.value(f"select count(*) as n from run.example where {violation(table)}"):
            found.append(f"{name}: holds a row that its declaration refuses")
        for field in table.schema:
            spoilt = f'select * replace (case when false then "{field.name}" end as "{field.name}") from run.example'
            refused = run.engine.value(f"select count(*) as n from ({spoilt}) where {violation(table)}")
            if not field.nullable and not refused:
                found.append(f"{name}: takes a row without {field.name}")
    return found

"""What went into a stage and what came out of it, counted in the tables themselves."""

from collections import Counter
from typing import Any

from pipeline.collect import evidence
from pipeline.engine import quoted
from pipeline.export.corpora import Export
from pipeline.models.compile import Compiled
from pipeline.reports.receipts import NO_COUNTS
from pipeline.run import Run
from pipeline.store import ledger


def collected(run: Run, models: dict[str, Compiled]) -> dict[str, Any]:
    """Counts lines, records, skips and repeats, in all and per stream."""
    evidence.bind_all(run, set(models))
    per_source = "select source as key, count(*) as amount from {} group by source"
    lines, records, skips = (
        run.count_by(per_source.format(table)) for table in ("evidence.lines", "evidence.records", "evidence.skips")
    )
    everything = run.count_by(per_source.format("raw.lines"))
    found = {row["source"] for row in run.engine.rows("select distinct source from raw.files")}
    deduped: dict[str, int] = run.state["collect"]["deduped"]
    mistyped = _mistyped_lines(run)
    streams = {
        source: {
            "lines": lines[source],
            "records": records[source],
            "skipped": skips[source],
            "deduped": deduped.get(source, 0),
            "mistyped": mistyped[source],
        }
        if source in models
        else {"unmapped": everything[source]}
        for source in sorted(found)
    }
    states = ledger.states(run.store, run.engine).values()
    return NO_COUNTS | {
        "in": lines.total(),
        "out": records.total(),
        "skipped": skips.total(),
        "deduped": sum(deduped.values()),
        "unmapped": sum(held.get("unmapped", 0) for held in streams.values()),
        "blank": sum(state.blank_lines for state in states),
        "by_reason": _sorted(run, "select reason as key, count(*) as amount from evidence.skips group by reason"),
        "by_stream": streams,
        "mistyped": _mistyped_fields(run),
    }


def _mistyped_lines(run: Run) -> Counter[str]:
    """Returns how many lines of each stream have a value that can't be read, repeats included."""
    return run.count_by(
        "select lines.source as key, count(*) as amount from evidence.lines as lines semi join "
        "(select source, sig_hash from evidence.records where array_length(mistyped_fields) > 0) as records "
        "on lines.source = records.source and lines.sig_hash = records.sig_hash group by lines.source"
    )


def _mistyped_fields(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns per stream and field how many records have a value there that can't be read, and FILE:N of the first."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in run.engine.rows(run.library["evidence/_mistyped"].sql):
        found.setdefault(row["stream"], {})[row["field"]] = {"records": row["records"], "example": row["example"]}
    return found


def landed(run: Run) -> dict[str, Any]:
    """Counts the lines that are landed."""
    run.bind_now("raw.lines")
    by_source = _sorted(run, "select source as key, count(*) as amount from raw.lines group by source")
    total = sum(by_source.values())
    return NO_COUNTS | {"in": total, "out": total, "by_stream": {name: {"lines": held} for name, held in by_source.items()}}


def scored(run: Run) -> dict[str, Any]:
    """Counts scores by category, by reason and by stream."""
    run.bind_now("evidence.records", "scored.runs", "scored.model_ledger")
    by_category = _sorted(run, "select category as key, count(*) as amount from scored.runs group by category")
    reasons = "select unnest(reasons) as key, 1 as amount from scored.runs"
    by_stream: dict[str, dict[str, int]] = {}
    for row in run.engine.rows(
        "select source, category, count(*) as amount from scored.runs group by source, category order by source, category"
    ):
        by_stream.setdefault(row["source"], {})[row["category"]] = row["amount"]
    return NO_COUNTS | {
        "in": int(run.engine.value("select count(*) as n from evidence.records")),
        "out": sum(by_category.values()),
        "by_category": by_category,
        "by_reason": _sorted(run, f"select key, count(*) as amount from ({reasons}) group by key"),
        "by_stream": by_stream,
    }


def exported(run: Run, export: Export) -> dict[str, Any]:
    """Counts what an export let out, stopped and capped."""
    run.bind_now(export.table, "exports.quarantine", "scored.runs")
    category = {"rag": "source_category", "sft": "quality_score", "preference": "reason"}[export.name]
    stopped = (
        f"select reason as key, count(*) as amount from exports.quarantine where export = {quoted(export.name)} group by reason"
    )
    by_category = _sorted(run, f"select {category} as key, count(*) as amount from {export.table} group by {category}")
    by_reason = _sorted(run, stopped)
    out, quarantined = sum(by_category.values()), sum(by_reason.values())
    capped = 0
    if "capped" in export.others:
        run.bind_now("exports.capped")
        capped = int(run.engine.value("select count(*) as n from exports.capped"))
    return NO_COUNTS | {
        "in": out + quarantined + capped,
        "out": out,
        "quarantined": quarantined,
        "capped": capped,
        "by_category": by_category,
        "by_reason": by_reason,
    }


def extracted(run: Run) -> dict[str, Any]:
    """Counts the rows of rag that playbooks are made of, and the playbooks."""
    run.bind_now("exports.rag", "exports.playbooks")
    named = "select source_category as key, count(*) as amount from exports.rag where playbook_id is not null group by key"
    by_category = _sorted(run, named)
    playbooks = int(run.engine.value("select count(*) as n from exports.playbooks"))
    return NO_COUNTS | {"in": sum(by_category.values()), "out": playbooks, "by_category": by_category}


def _sorted(run: Run, sql: str) -> dict[str, int]:
    return dict(sorted(run.count_by(sql).items()))

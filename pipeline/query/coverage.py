"""What the evidence covers: per stream its kind, its columns, and what it lacks to be scored."""

from dataclasses import dataclass
from typing import Any

from pipeline.reader import Warehouse


@dataclass(frozen=True)
class Stream:
    """One stream, as its records show it.

    kind:      verdict-bearing, telemetry-rich, extraction, or none of these
    scoreable: share of its records that are judged, 0 to 1
    columns:   per column the share of records that have it
    lacks:     what keeps the other records from a score: reason, rows and the same in words
    mistyped:  fields with values that could not be read: in how many records, and FILE:N of the first
    telling:   columns that are empty in all records that wait for a human, and full in all others
    """

    name: str
    records: int
    kind: str
    judged: int
    scoreable: float
    columns: dict[str, float]
    lacks: tuple[dict[str, Any], ...]
    telling: tuple[str, ...]
    mistyped: tuple[dict[str, Any], ...]

    def says(self) -> list[str]:
        """Returns what keeps records from a score, a line for each reason."""
        beside = f"; empty in all that wait, full in all others: {', '.join(self.telling)}" if self.telling else ""
        return [lack["says"] + beside for lack in self.lacks]

    def as_json(self) -> dict[str, Any]:
        return {
            "stream": self.name,
            "records": self.records,
            "class": self.kind,
            "judged": self.judged,
            "scoreable": self.scoreable,
            "columns": self.columns,
            "lacks": list(self.lacks),
            "empty_unless_judged": list(self.telling),
            "mistyped": list(self.mistyped),
        }


def examine(warehouse: Warehouse, as_of: str | None = None) -> list[Stream]:
    """Returns every stream that has records, by name."""
    with warehouse.opened() as engine:
        warehouse.bind(engine, warehouse.find(engine, as_of))
        engine.materialise("run.health_rows", warehouse.library["health/_rows"].sql)
        streams, cells, lacks, mistyped = (
            engine.rows(warehouse.library[name].sql)
            for name in ("health/streams", "health/coverage", "health/lacks", "evidence/_mistyped")
        )
        order = warehouse.schema("evidence.records").names
    cells.sort(key=lambda cell: order.index(cell["column_name"]))
    return [_stream(row, *(_of(row["stream"], rows) for rows in (cells, lacks, mistyped))) for row in streams]


def _stream(
    row: dict[str, Any], cells: list[dict[str, Any]], lacks: list[dict[str, Any]], mistyped: list[dict[str, Any]]
) -> Stream:
    return Stream(
        name=row["stream"],
        records=row["records"],
        kind=row["class"],
        judged=row["judged"],
        scoreable=row["scoreable"],
        columns={cell["column_name"]: cell["coverage"] for cell in cells},
        lacks=tuple({"reason": lack["reason"], "rows": lack["waiting"], "says": lack["says"]} for lack in lacks),
        telling=tuple(cell["column_name"] for cell in cells if cell["tells_judged_from_waiting"]),
        mistyped=tuple({name: one[name] for name in ("field", "records", "example")} for one in mistyped),
    )


def _of(stream: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["stream"] == stream]

"""distillery: a lakehouse that refines AI-agent traces into training data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.reader import Warehouse

__all__ = ["Warehouse"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: DuckDB, Arrow and Delta take their time, and `distill --help` needs none of them.
    if name == "Warehouse":
        from pipeline.reader import Warehouse

        return Warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

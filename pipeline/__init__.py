"""distillery: a lakehouse that refines AI-agent traces into training data."""

TYPE_CHECKING = False  # typing takes its time, in which Ctrl-C is not heard yet
if TYPE_CHECKING:
    from typing import Any

    from pipeline.reader import Warehouse

__all__ = ["Warehouse"]


def __getattr__(name: str) -> "Any":
    # Loaded when asked for: DuckDB, Arrow and Delta take their time, and `distill --help` needs none of them.
    if name == "Warehouse":
        from pipeline.reader import Warehouse

        return Warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Where things are, and the switches of a run."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

# Of longer lines only the gist is kept; --max-line moves it, up to what the machine can still work with as one text.
MAX_LINE = 16 * 1024 * 1024
MOST_MAX_LINE = 64 * 1024 * 1024

_PACKAGED_SQL = Path(__file__).parent / "_sql"
_REPOSITORY_SQL = Path(__file__).parent.parent / "sql"


def builtin_sql() -> Path:
    """Returns the folder of our own models: inside the wheel, or `sql/` of a checkout."""
    return _PACKAGED_SQL if _PACKAGED_SQL.is_dir() else _REPOSITORY_SQL


@dataclass(frozen=True)
class Gates:
    """The switches that decide what may leave the warehouse. SQL sees them as `run.options`."""

    include_review: bool = False
    include_partial: bool = False
    known_paths: Path | None = None
    cross_stream: bool = True
    cross_stream_days: int = 7
    max_chars: int | None = None
    pairs: str = "same-prompt"
    max_pairs: int = 5
    settlers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The folders of a warehouse and how to run on them."""

    data: Path = Path("data/_kb")
    warehouse: Path = Path("warehouse")
    exports: Path = Path("exports")
    reports: Path = Path("reports")
    sql: Path | None = None
    gates: Gates = field(default_factory=Gates)
    strict: bool = False
    accept_rewrite: bool = False
    max_line: int = MAX_LINE
    recorded_at: datetime | None = None
    drift_threshold: float = 20.0
    threads: int | None = None
    memory_limit: str = "2GB"

    def sql_folders(self) -> tuple[Path, ...]:
        """Returns the folders with models, ours first; a file of a later one replaces ours of the same name."""
        return (builtin_sql(),) if self.sql is None else (builtin_sql(), self.sql)

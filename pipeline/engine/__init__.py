"""DuckDB: the one place where SQL runs."""

from pipeline.engine.connection import Engine, ParquetFile
from pipeline.engine.literals import quoted
from pipeline.engine.statements import PrintedColumn
from pipeline.engine.views import table_schemas, write_views

__all__ = ["Engine", "ParquetFile", "PrintedColumn", "quoted", "table_schemas", "write_views"]

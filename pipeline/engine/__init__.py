"""DuckDB: the one place where SQL runs."""

from pipeline.engine.connection import ROWS_PER_BATCH, Engine, ParquetFile
from pipeline.engine.literals import quoted
from pipeline.engine.statements import MACRO, PrintedColumn
from pipeline.engine.views import DeclaredView, table_schemas

__all__ = ["MACRO", "ROWS_PER_BATCH", "DeclaredView", "Engine", "ParquetFile", "PrintedColumn", "quoted", "table_schemas"]

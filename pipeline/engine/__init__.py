"""DuckDB: the one place where SQL runs."""

from pipeline.engine.connection import ROWS_PER_BATCH, Engine, ParquetFile
from pipeline.engine.literals import quoted
from pipeline.engine.printable import PrintedColumn
from pipeline.engine.refusals import gist, ran_out_of_memory
from pipeline.engine.statements import MACRO
from pipeline.engine.views import DeclaredView, table_schemas

__all__ = [
    "MACRO",
    "ROWS_PER_BATCH",
    "DeclaredView",
    "Engine",
    "ParquetFile",
    "PrintedColumn",
    "gist",
    "quoted",
    "ran_out_of_memory",
    "table_schemas",
]

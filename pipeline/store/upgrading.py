"""A table that was made by older declarations, brought up to those of today just before something is written to it.

Conditions that changed are put in the place of the old ones, and columns that are new are added. Earlier versions stay as they
are: Delta keeps the columns and conditions of each, and brings them back with its rows.
"""

import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, PostCommitHookProperties, WriterProperties, write_deltalake

from pipeline.models.tables import Table
from pipeline.store.marks import marked

# delta-rs cleans up its log by age unless told otherwise; here every version must stay readable.
HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


def writer(rows_per_group: int) -> WriterProperties:
    """Returns how Parquet files are written."""
    # Nearly every text is long or its own: looking for repeats costs a quarter of the time, and the files come out larger.
    return WriterProperties(
        compression="ZSTD",
        compression_level=1,
        max_row_group_size=rows_per_group,
        statistics_truncate_length=64,
        default_column_properties=ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK"),
    )


WRITER = writer(16384)
CONSTRAINT = "delta.constraints."


def fitted(opened: DeltaTable, declared: Table, *, anew: bool) -> DeltaTable:
    """Returns a table with the columns and conditions that are declared now, those that it has or, if all are to be written
    `anew`, without rows: what they say may be what a new condition forbids.
    """
    kept = {key.removeprefix(CONSTRAINT) for key in opened.metadata().configuration if key.startswith(CONSTRAINT)}
    missing = {name: condition for name, condition in declared.checks.items() if name not in kept}
    for name in sorted(kept - declared.checks.keys()):
        opened.alter.drop_constraint(name, commit_properties=marked(), post_commithook_properties=HOOKS)
    if anew and (missing or not _fits(opened, declared)):
        opened = _written(opened, declared.schema.empty_table())
    elif not anew and _lacking(opened, declared):
        opened = _written(opened, _widened(opened, declared))
    if missing:
        opened.alter.add_constraint(missing, commit_properties=marked(), post_commithook_properties=HOOKS)
    return opened


def has_more(opened: DeltaTable, declared: Table) -> bool:
    """True where a later release added columns that nobody declares here."""
    return any(field.name not in declared.schema.names for field in opened.schema().fields)


def _fits(opened: DeltaTable, declared: Table) -> bool:
    held = [(field.name, field.nullable) for field in opened.schema().fields]
    return held == [(field.name, field.nullable) for field in declared.schema]


def _lacking(opened: DeltaTable, declared: Table) -> set[str]:
    return set(declared.schema.names) - {field.name for field in opened.schema().fields}


def _widened(opened: DeltaTable, declared: Table) -> pa.RecordBatchReader:
    """Returns all rows with the columns that they lack, so that all files of a version have the same columns.

    Nobody knows what old rows would say there: that is null, so null must be allowed even where new rows may not have it.
    """
    lacking = _lacking(opened, declared)
    schema = pa.schema([field.with_nullable(field.nullable or field.name in lacking) for field in declared.schema])
    batches = opened.to_pyarrow_dataset().scanner().to_reader()
    return pa.RecordBatchReader.from_batches(schema, (_with_nulls(batch, schema) for batch in batches))


def _with_nulls(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch.column(field.name).cast(field.type) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _written(opened: DeltaTable, rows: pa.Table | pa.RecordBatchReader) -> DeltaTable:
    write_deltalake(
        opened,
        rows,
        mode="overwrite",
        schema_mode="overwrite",
        writer_properties=WRITER,
        commit_properties=marked(),
        post_commithook_properties=HOOKS,
    )
    return DeltaTable(opened.table_uri)

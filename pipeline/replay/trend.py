"""How replays went over time, from the log."""

from typing import Any

from pipeline import advice
from pipeline.errors import WarehouseError
from pipeline.reader import Warehouse
from pipeline.store.snapshots import REPLAYS

_MODEL = "replay/trend"


def trend(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Returns a row for every day and model, newest day first. Raises WarehouseError where nothing was replayed yet."""
    store = warehouse.store
    if not store.exists(REPLAYS):
        raise WarehouseError(
            f"{warehouse.path}: nothing was replayed here yet; `{advice.command('replay', '--task', 'TEXT')}` does"
        )
    with warehouse.opened() as engine:
        engine.bind(REPLAYS, store.read(REPLAYS).files, warehouse.schema(REPLAYS))
        return engine.rows(f"select * from ({warehouse.library[_MODEL].sql}) order by day desc, model")

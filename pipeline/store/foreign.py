"""What another tool wrote into a table is named and taken back, before anything is made from it."""

from contextlib import suppress

from pipeline import advice
from pipeline.errors import WarehouseError
from pipeline.models.tables import is_chronicle
from pipeline.store import ledger
from pipeline.store.delta import DeltaStore, Foreign
from pipeline.store.snapshots import SNAPSHOTS, Snapshot


def findings(store: DeltaStore, published: Snapshot | None) -> list[str]:
    """Returns in words what another tool wrote since the newest snapshot, table by table."""
    found = []
    for name in store.tables:
        if store.exists(name) and (commits := _of(store, name, published)):
            listed = ", ".join(map(str, commits))
            found.append(f"{name}: another tool wrote {listed} of {store.path(name)}; what is published does not count it")
    return found


def take_back(store: DeltaStore, published: Snapshot | None) -> None:
    """Takes lines, their ledger and chronicles back to what distillery wrote; all other tables go back to what is published.

    A chronicle that can't be taken back, for files of it are gone, stays as it is: readers leave out what is not ours.
    """
    lines, files = (_of(store, name, published) for name in ("raw.lines", "raw.files"))
    if lines or files:
        ledger.undo_foreign_load(store, *(commits[0].version if commits else None for commits in (lines, files)))
    for name in filter(is_chronicle, store.tables):
        with suppress(WarehouseError):
            take_back_chronicle(store, name)


def take_back_chronicle(store: DeltaStore, name: str) -> None:
    """Takes back what another tool added to a table after the last commit of ours."""
    if (own := store.own_version(name)) != store.version(name):
        store.restore(name, own, store.said(name, own))


def refuse(store: DeltaStore, since: dict[str, int]) -> None:
    """Raises WarehouseError where another tool wrote after these versions: what was made since may hold rows of it."""
    for name, version in since.items():
        if commits := store.foreign(name, version):
            raise WarehouseError(
                f"{store.path(name)}: another tool wrote {commits[0]} while this command was at work; nothing was published; "
                f"{advice.try_again()}"
            )


def _of(store: DeltaStore, name: str, published: Snapshot | None) -> list[Foreign]:
    held = published.tables.get(name) if published is not None and name != SNAPSHOTS else None
    since = held.delta_version if held is not None else 0
    commits = store.foreign(name, since) if store.version(name) > since else []
    # Of a chronicle what lies before a commit of ours stays: it is not worth the loss of the rows after it.
    return [commit for commit in commits if commit.version > store.own_version(name)] if is_chronicle(name) else commits

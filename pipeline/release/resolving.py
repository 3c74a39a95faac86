"""Is everything that a snapshot names still there, whole, and made by the models as they are now?"""

from functools import partial

from pipeline import advice
from pipeline.errors import DistillError
from pipeline.models.tables import is_chronicle
from pipeline.run import Run
from pipeline.stages import STAGES, models_hash
from pipeline.store import snapshots
from pipeline.store.contents import Content, verify_content
from pipeline.store.snapshots import Snapshot


def problems(run: Run, snapshot: Snapshot, began_with: int) -> list[str]:
    """Returns what speaks against freezing a snapshot; began_with: the newest one when the freeze began."""
    if snapshot.snapshot != began_with:
        return [
            f"run {snapshot.run_id} published snapshot {snapshot.snapshot} while the gates ran for snapshot {began_with}; "
            "look at it, and freeze again"
        ]
    return [*run.library.unlocked(), *_other_models(run, snapshot), *_damage(run, snapshot)]


def _other_models(run: Run, snapshot: Snapshot) -> list[str]:
    """A release names a commit and a state: the models of the one must have made the other."""
    found = []
    for stage in STAGES:
        held = snapshot.stages.get(stage.name)
        if held is None:
            found.append(
                f"{stage.name} was not done yet in snapshot {snapshot.snapshot}; `{advice.command('run-all')}` does it"
            )
        elif held.fingerprint != models_hash(stage.models(run)):
            found.append(
                f"snapshot {snapshot.snapshot} was made by other models of {stage.name} than there are now; "
                f"`{advice.command('run-all')}` makes it with these"
            )
    return found


def _damage(run: Run, snapshot: Snapshot) -> list[str]:
    found = []
    for name, content in sorted(snapshot.tables.items()):
        if name not in run.store.tables:
            found.append(f"{name}: the snapshot has this table, but sql/tables does not declare it any more")
            continue
        try:
            _resolve(run, name, content)
        except DistillError as error:
            found.append(str(error))
    return found


def _resolve(run: Run, name: str, content: Content) -> None:
    table = run.store.tables[name]
    if is_chronicle(name):
        # Nobody counts or hashes these for a snapshot: they have to open, and all their rows have to be readable.
        run.engine.bind("run.resolved", run.store.read(name, content.delta_version).files, table.schema)
        run.engine.rows("select count(*) as n from (select distinct * from run.resolved)")
    else:
        published = partial(snapshots.digests_in, run.store, run.engine, name)
        verify_content(run.store, run.engine, table, content.delta_version, content, published)

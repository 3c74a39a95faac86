"""The manifest of a release: the commit, the models, the versions and hashes that belong together, and the gates' verdicts."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.export.corpora import EXPORTS
from pipeline.models import Library
from pipeline.models.tables import is_chronicle
from pipeline.release.repository import State
from pipeline.release.verdicts import Verdicts
from pipeline.reports.receipts import iso, validated
from pipeline.store.contents import Content
from pipeline.store.snapshots import Snapshot
from pipeline.version import product_version


def document(
    name: str,
    at: datetime,
    git: State,
    snapshot: Snapshot,
    library: Library,
    tests: str,
    baseline: dict[str, Any] | None,
    verdicts: Verdicts,
) -> dict[str, Any]:
    """Returns the ReleaseManifest. Raises GateError where it breaks its schema."""
    tables = sorted(snapshot.tables.items())
    return validated(
        "release_manifest.v1",
        {
            "schema_version": 1,
            "name": name,
            "frozen": verdicts.passed,
            "decided_at": iso(at),
            "distillery": product_version(),
            "git_head": git.head,
            "tests_command": tests,
            "snapshot": snapshot.snapshot,
            "run_id": snapshot.run_id,
            "made_by": snapshot.made_by,
            "published_at": iso(snapshot.published_at),
            "run_hash": snapshot.run_hash,
            "models": [
                {"name": model.name, "version": model.version, "fingerprint": model.fingerprint}
                for _, model in sorted(library.models.items())
            ],
            "datasets": {export.name: snapshot.tables.get(export.table, Content(0)).rows for export in EXPORTS},
            "tables": [
                {"name": table, "delta_version": held.delta_version}
                | ({"rows": None, "sha256": None} if is_chronicle(table) else {"rows": held.rows, "sha256": held.sha256})
                for table, held in tables
            ],
            "files": [asdict(file) for _, file in sorted(snapshot.files.items())],
            "baseline": baseline,
            "gates": verdicts.as_json(),
        },
    )

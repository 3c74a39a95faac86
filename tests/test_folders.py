"""Folders that can't be right are refused before anything is made, with a word on what to name instead."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UsageError, WarehouseError
from pipeline.folders import must_be_apart
from pipeline.settings import Settings
from pipeline.store.delta import must_be_usable
from tests.conftest import Workspace
from tests.support.rows import review

WRONG = {
    "all the same": ("x", "x", "x", "x"),
    "exports are the data": ("x", "w", "x", "r"),
    "exports in the data": ("x", "w", "x/e", "r"),
    "data in the exports": ("x/d", "w", "x", "r"),
    "warehouse in the data": ("x", "x/w", "e", "r"),
    "data in the warehouse": ("x/d", "x", "e", "r"),
    "exports in the warehouse": ("d", "x", "x/exports", "r"),
    "warehouse in the exports": ("d", "x/w", "x", "r"),
    "reports in the warehouse": ("d", "x", "e", "x/ops"),
    "reports in the data": ("x", "w", "e", "x/r"),
    "reports are the exports": ("d", "w", "x", "x"),
    "by a way round": ("x", "w", "w/../x/e", "r"),
    "by a trailing slash": ("x", "w", "x/", "r"),
    "by a link": ("x", "w", "link/e", "r"),
    "a file": ("d", "w", "file", "r"),
    "below a file": ("d", "file/w", "e", "r"),
    "a link to nothing": ("d", "w", "e", "nowhere"),
    "a link to itself": ("d", "loop", "e", "r"),
}
RIGHT = {
    "side by side": ("d", "w", "e", "r"),
    "names that begin alike": ("x", "x-w", "xe", "x.r"),
    "reports in the exports": ("d", "w", "e", "e/r"),
    "all below the reports": ("r/d", "r/w", "r/e", "r"),
    "behind links": ("d", "link/w", "e", "r"),
}


def settings_of(root: Path, folders: tuple[str, str, str, str]) -> Settings:
    (root / "x").mkdir()
    (root / "link").symlink_to("x")
    (root / "nowhere").symlink_to("gone")
    (root / "loop").symlink_to("loop")
    (root / "file").touch()
    data, warehouse, exports, reports = folders
    return Settings(data=root / data, warehouse=root / warehouse, exports=root / exports, reports=root / reports)


@pytest.mark.parametrize("case", WRONG)
def test_wrong(tmp_path: Path, case: str) -> None:
    with pytest.raises(UsageError, match=r"next: .*--(data|warehouse|exports|reports)"):
        must_be_apart(settings_of(tmp_path, WRONG[case]), with_data=True)


@pytest.mark.parametrize("case", RIGHT)
def test_right(tmp_path: Path, case: str) -> None:
    must_be_apart(settings_of(tmp_path, RIGHT[case]), with_data=True)


def test_nothing_is_made(workspace: Workspace) -> None:
    workspace.write("observer_reviews.jsonl", [review("t", "accept", "n")])
    before = sorted(workspace.root.rglob("*"))
    settings = workspace.settings
    for name in ("warehouse", "exports", "reports"):
        workspace.settings = replace(settings, **{name: workspace.data / name})
        with pytest.raises(UsageError, match="lies in --data"):
            workspace.run()
    workspace.settings = replace(settings, warehouse=workspace.root / "a%b")
    with pytest.raises(WarehouseError, match="--warehouse"):
        workspace.run()
    assert sorted(workspace.root.rglob("*")) == before


@pytest.mark.parametrize("name", ["warehouse", "exports", "reports", "data"])
def test_a_name_that_is_empty(workspace: Workspace, name: str) -> None:
    for done in (
        workspace.command("run-all", f"--{name}", ""),
        workspace.command("run-all", **{f"DISTILL_{name.upper()}": ""}),
    ):
        assert done.returncode == 2 and "next: " not in done.stdout, done
        assert name in done.stderr.splitlines()[-1].lower()
    assert not workspace.settings.warehouse.exists()


def test_a_warehouse_behind_links(tmp_path: Path) -> None:
    """Delta follows links: a plain folder does behind any name, and an odd one behind none."""
    (tmp_path / "plain é'").mkdir()
    (tmp_path / "50%25").symlink_to("plain é'")
    assert must_be_usable(tmp_path / "50%25") == tmp_path / "plain é'"
    (tmp_path / "odd%25").mkdir()
    (tmp_path / "plain").symlink_to("odd%25")
    with pytest.raises(WarehouseError, match="'%'"):
        must_be_usable(tmp_path / "plain")

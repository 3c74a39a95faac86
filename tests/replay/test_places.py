"""A replay is logged inside of the data folder, in plain files of its own; what else lies there is left alone."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import DistillError, InputError
from pipeline.replay import Asked, log, replay
from tests.conftest import Workspace
from tests.replay.scene import BAD, TASK, logged
from tests.replay.stub import Stub, serving
from tests.support.forked import Distill, refused, run_in

PRECIOUS = b'line one of a precious file\n{"a": "last line, without a newline'


def _link(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").symlink_to(outside / "precious.txt")


def _link_within(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").symlink_to(data / "observer_reviews.jsonl")


def _link_nowhere(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").symlink_to(outside / "new.txt")


def _hard_link(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").hardlink_to(outside / "precious.txt")


def _folder_link(data: Path, outside: Path) -> None:
    (outside / "00000002.jsonl").write_bytes(PRECIOUS)
    (data / "replay_runs").symlink_to(outside)


def _link_in_the_folder(data: Path, outside: Path) -> None:
    (data / "replay_runs").mkdir()
    (data / "replay_runs/00000002.jsonl").symlink_to(outside / "precious.txt")


def _fifo(data: Path, outside: Path) -> None:
    os.mkfifo(data / "replay_runs.jsonl")


def _device(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").symlink_to("/dev/null")


def _folder(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").mkdir()


def _file_for_the_folder(data: Path, outside: Path) -> None:
    (data / "replay_runs").write_bytes(PRECIOUS)


def _foreign_end(data: Path, outside: Path) -> None:
    (data / "replay_runs.jsonl").write_bytes(PRECIOUS)


def _foreign_beginning_of_ours(data: Path, outside: Path) -> None:
    """It begins as our lines do, but no replay wrote it."""
    (data / "replay_runs.jsonl").write_bytes(b'{"schema_version":1,"kind":"replay_run","replay_id":"replay-0')


ODD = (
    *(_link, _link_within, _link_nowhere, _hard_link, _folder_link, _link_in_the_folder, _fifo, _device, _folder),
    *(_file_for_the_folder, _foreign_end, _foreign_beginning_of_ours),
)


def tree(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Returns everything below a folder: kinds, links, contents."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        held = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(root))] = (mode, held)
    return found


def asked(stub: Stub) -> Asked:
    return Asked(TASK, model="m", base_url=stub.url)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__.strip("_"))
def test_what_lies_in_its_place_is_left_alone(ready: Workspace, odd: Callable[[Path, Path], None]) -> None:
    outside = ready.root / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_bytes(PRECIOUS)
    odd(ready.data, outside)
    before = tree(ready.data), tree(outside)
    with serving(BAD) as stub:
        with pytest.raises(InputError) as error:
            replay(ready.warehouse, ready.data, asked(stub))
        assert stub.asked == []
    assert str(ready.data / "replay_runs") in str(error.value) and "\n" not in str(error.value)
    assert (tree(ready.data), tree(outside)) == before


def test_put_there_while_the_model_answers(ready: Workspace) -> None:
    precious = ready.root / "precious.txt"
    precious.write_bytes(PRECIOUS)
    with serving(BAD) as stub, pytest.raises(DistillError):
        replay(
            ready.warehouse,
            ready.data,
            asked(stub),
            told=lambda _: (ready.data / "replay_runs.jsonl").symlink_to(precious),
        )
    assert precious.read_bytes() == PRECIOUS


def test_a_file_that_may_not_be_written(ready: Workspace, distill: Distill) -> None:
    path = ready.data / "replay_runs.jsonl"
    path.touch(mode=0o400)
    with serving(BAD) as stub:
        arguments = ("--task", TASK, "--model", "m", "--base-url", stub.url)
        refused(run_in(distill, ready, "replay", *arguments, mortal=True), 3, f"{path}: Permission denied")
        assert stub.asked == []


def test_a_linked_data_folder_is_one(ready: Workspace) -> None:
    (ready.root / "linked").symlink_to(ready.data)
    with serving(BAD) as stub:
        replay(ready.warehouse, ready.root / "linked", asked(stub))
    assert len(logged(ready)) == 1


@pytest.mark.parametrize("end", [b'{"foreign":1}', b"5", b'"x"'])
def test_a_whole_line_of_others_stays(ready: Workspace, end: bytes) -> None:
    (ready.data / "replay_runs.jsonl").write_bytes(b"{}\n" + end)
    with serving(BAD) as stub:
        path = replay(ready.warehouse, ready.data, asked(stub)).log
    assert path.read_bytes().startswith(b"{}\n" + end + b"\n{") and len(logged(ready)) == 3


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000])
def test_the_end_of_a_file(tmp_path: Path, size: int) -> None:
    for before in (b"", b"\n", b"x\n" * 40_000):
        path = tmp_path / "file"
        path.write_bytes(before + b"y" * size)
        with log.places.opened(path, os.O_RDONLY) as handle:
            assert log.places.open_end(handle) == b"y" * size

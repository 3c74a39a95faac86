"""Landing cuts files into blocks and gives them to worker processes: what lands must not depend on either."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parallel
from pipeline.collect import blocks
from tests.support.dock import Dock

ALONE = 10**9

CONTENT = st.lists(
    st.sampled_from(
        [b'{"n":1}', b"", b" ", b"17", b'{"a":"\xc3\xa9"}', b'{"a":"\xff"}', b"{", b'{"long":"' + b"x" * 70 + b'"}']
    ),
    max_size=12,
)


@settings(max_examples=12)
@given(CONTENT, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.sampled_from([1, 7, 64]))
def test_lines_do_not_depend_on_where_blocks_end(lines: list[bytes], newline: bytes, ended: bool, size: int) -> None:
    content = newline.join(lines) + (newline if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        assert _landed_in_blocks(content, size, patch) == _landed_in_blocks(content, blocks.CHUNK_BYTES, patch)


def _landed_in_blocks(content: bytes, size: int, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    patch.setattr(blocks, "CHUNK_BYTES", size)
    patch.setattr(parallel, "SIZE_BEFORE_A_POOL", ALONE)
    with TemporaryDirectory() as folder:
        dock = Dock(Path(folder))
        dock.put("audits.jsonl", content[: len(content) // 2 // 7 * 7])
        dock.put("audits.jsonl", content[len(content) // 2 // 7 * 7 :])
        dock.put("audits.jsonl.gz", content)
        dock.land()
        return dock.rows()


def test_worker_processes_land_the_same_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CHUNK_BYTES", 200)
    content = b"".join(json.dumps({"n": n, "x": "\u2028" * (n % 30)}).encode() + b"\n" * (1 + n % 2) for n in range(200))
    found = []
    for name, alone in (("alone", ALONE), ("together", 4)):
        monkeypatch.setattr(parallel, "SIZE_BEFORE_A_POOL", alone)
        dock = Dock(tmp_path / name)
        dock.put("audits.jsonl", content)
        dock.put("outcomes.jsonl.zst", content)
        dock.land()
        found.append(dock.rows())
    assert len(found[0]) == 400
    assert found[0] == found[1]


def test_worker_processes_do_the_work_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SIZE_BEFORE_A_POOL", 2)
    ended: list[int] = []
    done = list(parallel.ordered_map(os.getpid, _who, int, range(30), lambda _: 1, ended))
    assert [item for item, _ in done] == list(range(30))
    assert {process for _, process in done[:2]} == {os.getpid()}
    assert os.getpid() not in {process for _, process in done[2:]}
    assert {process for _, process in done} <= set(ended)
    assert len(ended) == len(set(ended))


def test_worker_processes_begin_at_once_where_much_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SIZE_BEFORE_A_POOL", 20)
    for expected, works_here in ((19, True), (20, False)):
        ended: list[int] = []
        done = list(parallel.ordered_map(os.getpid, _who, int, range(10), lambda _: 1, ended, expected))
        assert [item for item, _ in done] == list(range(10))
        assert (os.getpid() in ended) is works_here
        assert {process for _, process in done} <= set(ended)


def _who(tool: int, item: int) -> tuple[int, int]:
    assert tool == os.getpid(), "a tool is used where it was made"
    return item, tool

"""Files of ours on disk: however their bytes arrive, and whoever works out their hash, it is the same one."""

import hashlib
import io
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import disk
from pipeline.disk import BlockHash, file_sha256, meanwhile


class Halting(io.BytesIO):
    """A stream that gives less than it is asked for, as it may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 2 else size // 2)


def by_hand(content: bytes, block: int) -> str:
    """The last block is the one that more would be added to, so it may be empty."""
    whole = len(content) // block * block
    blocks = [content[place : place + block] for place in range(0, whole, block)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in [*blocks, content[whole:]])).hexdigest()


@given(
    content=st.binary(max_size=70),
    more=st.binary(max_size=20),
    size=st.integers(0, 90),
    block=st.sampled_from([1, 8, 16]),
    stream=st.sampled_from([io.BytesIO, Halting, None]),
    begin=st.integers(0, 20),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hash_over_blocks_is_the_same_however_it_is_made(
    tmp_path: Path, content: bytes, more: bytes, size: int, block: int, stream: type[io.BytesIO] | None, begin: int
) -> None:
    (tmp_path / "file").write_bytes(content)
    begin = min(begin, len(content))
    with (
        pytest.MonkeyPatch.context() as patch,
        stream(content) if stream is not None else (tmp_path / "file").open("rb", buffering=0) as held,
    ):
        patch.setattr(disk, "HASH_BLOCK", block)
        held.seek(begin)
        read, came = BlockHash.read(held, size)
        assert came == min(size, len(content) - begin)
        # Who reads on goes on behind it.
        assert held.read() == content[begin + came :]
        read.update(more)
        assert read.hexdigest() == by_hand(content[begin : begin + came] + more, block)


def test_who_waits_for_work_has_its_result_or_hears_why_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert meanwhile(partial(file_sha256, tmp_path / "file")).result() == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(FileNotFoundError, match="gone"):
        meanwhile(partial(file_sha256, tmp_path / "gone")).result()

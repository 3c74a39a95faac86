"""Adapters on disk: whole under their own hash, and refused in words where they are anything else."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import DamageError, UsageError
from pipeline.weights import adapters, bases, header
from pipeline.weights.header import BrokenError
from pipeline.weights.interface import Parameters
from pipeline.weights.training.embedded import Embedded
from tests.weights.training.conftest import ROWS

Damage = Callable[[bytes], bytes]
DAMAGED: dict[str, tuple[Damage, str]] = {
    "empty": (lambda data: b"", "is empty"),
    "zeros": (lambda data: bytes(len(data)), "holds zeros"),
    "text": (lambda data: b"version https://example.org/spec", "is not a GGUF file"),
    "cut in its data": (lambda data: data[: len(data) // 2], "is cut short"),
    "cut by one byte": (lambda data: data[:-1], "is cut short"),
    "cut in its header": (lambda data: data[:100], "ends in the middle of its header, after 100 bytes"),
    "cut in its first bytes": (lambda data: data[:5], "ends in the middle of its header"),
    "a version to come": (lambda data: data[:4] + b"\x09" + data[5:], "of the unknown version 9"),
    "a field without end": (lambda data: data[:24] + b"\xff" * 8 + data[32:], "makes no sense"),
}
FLIPPED: dict[str, Damage] = {
    "one bit of a number": lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
    "its last byte": lambda data: data[:-1] + bytes([data[-1] ^ 0x80]),
    "a byte more": lambda data: data + b"\0",
}
A, B = (2, 16), (16, 2)
# Fields and tensors of a file that was written by somebody else, with what is wrong in it.
FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "another architecture": ({"architecture": "qwen2"}, "is of the architecture qwen2, and the base of llama"),
    "a whole model": ({"type": "model"}, "is not a LoRA adapter"),
    "another kind of adapter": ({"lora": "dora"}, "is not a LoRA adapter"),
    "no alpha": ({"alpha": float("nan")}, "has the alpha nan"),
    "alpha of zero": ({"alpha": 0.0}, "has the alpha 0.0"),
    "another base": ({"base": "0" * 64}, "belongs to another base: 000000000000, and this one is "),
    "no base": ({"base": None}, "belongs to another base: None"),
    "a wrong shape": ({"tensors": {"blk.0.attn_q.weight.lora_a": (2, 17), "blk.0.attn_q.weight.lora_b": B}}, r"\(2, 17\)"),
    "two ranks": ({"tensors": {"blk.0.attn_q.weight.lora_a": A, "blk.0.attn_q.weight.lora_b": (16, 3)}}, r"\(16, 3\)"),
    "a block too many": (
        {"tensors": {"blk.9.attn_q.weight.lora_a": A, "blk.9.attn_q.weight.lora_b": B}},
        "the base does not have",
    ),
    "no layer": ({"tensors": {"token_embd.weight.lora_a": A, "token_embd.weight.lora_b": B}}, "the base does not have"),
    "half a layer": ({"tensors": {"blk.0.attn_q.weight.lora_a": A}}, "only half of blk.0.attn_q.weight"),
    "no tensors": ({"tensors": {}}, "holds no tensors"),
}


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Returns the bytes of an adapter of the tiny base."""
    out = tmp_path_factory.mktemp("trained") / "a.gguf"
    Embedded(tiny).train(ROWS, Parameters(rank=2), out, lambda done, of: None)
    return out.read_bytes()


def written(path: Path, tiny: Path, changed: dict[str, Any]) -> Path:
    """Writes an adapter by hand."""
    import gguf
    import numpy as np

    right = {"blk.0.attn_q.weight.lora_a": A, "blk.0.attn_q.weight.lora_b": B}
    said = {"type": "adapter", "lora": "lora", "alpha": 4.0, "base": bases.sha256_of(tiny), "tensors": right, **changed}
    writer = gguf.GGUFWriter(path, said.get("architecture", "llama"))
    writer.add_type(said["type"])
    writer.add_string("adapter.type", said["lora"])
    writer.add_float32("adapter.lora.alpha", said["alpha"])
    if said["base"] is not None:
        writer.add_string("distillery.base_sha256", said["base"])
    for name, shape in said["tensors"].items():
        writer.add_tensor(name, np.full(shape, said.get("value", 0.5), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def kept(warehouse: Path, data: bytes, name: str = "") -> str:
    """Lays an adapter down as if it had always been there, and returns its hash."""
    name = name or hashlib.sha256(data).hexdigest()
    adapters.folder(warehouse).mkdir(exist_ok=True)
    (adapters.folder(warehouse) / f"{name}.gguf").write_bytes(data)
    return name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_other_bytes_are_ever_taken(tiny: Path, trained: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever became of a file, it is refused in words; and its header alone is read or refused, never more."""
    place = data.draw(st.integers(0, len(trained) - 1))
    change = data.draw(st.sampled_from(["cut", "byte", "word"]))
    if change == "cut":
        changed = trained[:place]
    else:
        new = data.draw(st.binary(min_size=1, max_size=1) if change == "byte" else st.binary(min_size=8, max_size=8))
        changed = (trained[:place] + new + trained[place + len(new) :])[: len(trained)]
    path = tmp_path / "changed.gguf"
    path.write_bytes(changed)
    with suppress(BrokenError):
        header.read(path)
    if changed != trained:
        sha256 = kept(tmp_path, changed, hashlib.sha256(trained).hexdigest())
        with pytest.raises(DamageError):
            adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny)


def test_a_rank_beyond_what_layers_have_is_an_adapter_all_the_same(tiny: Path, tmp_path: Path) -> None:
    Embedded(tiny).train(ROWS, Parameters(rank=40), tmp_path / "a.gguf", lambda done, of: None)
    assert adapters.put(tmp_path, tmp_path / "a.gguf", tiny)


def test_what_is_put_in_comes_out(tiny: Path, trained: bytes, tmp_path: Path) -> None:
    file = tmp_path / "made.gguf"
    file.write_bytes(trained)
    sha256 = adapters.put(tmp_path, file, tiny)
    path = adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny)
    assert path == tmp_path / "adapters" / f"{hashlib.sha256(trained).hexdigest()}.gguf"
    assert path.read_bytes() == trained and not file.exists()
    file.write_bytes(trained)
    assert adapters.put(tmp_path, file, tiny) == sha256
    assert [found.name for found in adapters.folder(tmp_path).iterdir()] == [path.name]


def test_putting_it_in_again_mends_it(tiny: Path, trained: bytes, tmp_path: Path) -> None:
    sha256 = kept(tmp_path, trained[:-1], hashlib.sha256(trained).hexdigest())
    (tmp_path / "again.gguf").write_bytes(trained)
    adapters.put(tmp_path, tmp_path / "again.gguf", tiny)
    assert adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny).read_bytes() == trained


@pytest.mark.parametrize("damage", [*DAMAGED.values()], ids=[*DAMAGED])
def test_a_damaged_file_is_refused_with_the_reason(
    tiny: Path, trained: bytes, tmp_path: Path, damage: tuple[Damage, str]
) -> None:
    change, reason = damage
    sha256 = kept(tmp_path, change(trained), hashlib.sha256(trained).hexdigest())
    with pytest.raises(DamageError, match=f"{sha256}.gguf .*{reason}.*; it was not loaded; next: .*distill adapter revert"):
        adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny)
    (tmp_path / "new.gguf").write_bytes(change(trained))
    with pytest.raises(DamageError, match=f"new.gguf .*{reason}.*; nothing was kept of it"):
        adapters.put(tmp_path, tmp_path / "new.gguf", tiny)
    assert (tmp_path / "new.gguf").exists() and len(list(adapters.folder(tmp_path).iterdir())) == 1


@pytest.mark.parametrize("change", [*FLIPPED.values()], ids=[*FLIPPED])
def test_a_flipped_file_is_refused(tiny: Path, trained: bytes, tmp_path: Path, change: Damage) -> None:
    sha256 = kept(tmp_path, change(trained), hashlib.sha256(trained).hexdigest())
    with pytest.raises(DamageError, match="has other bytes than when it was trained"):
        adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny)


@pytest.mark.parametrize("said", [*FOREIGN.values()], ids=[*FOREIGN])
def test_a_file_that_is_not_an_adapter_of_the_base_is_refused_with_the_reason(
    tiny: Path, tmp_path: Path, said: tuple[dict[str, Any], str]
) -> None:
    changed, reason = said
    path = written(tmp_path / "new.gguf", tiny, changed)
    sha256 = kept(tmp_path, path.read_bytes())
    with pytest.raises(DamageError, match=reason):
        adapters.verified(tmp_path, sha256, bases.sha256_of(tiny), tiny)
    with pytest.raises(DamageError, match=reason):
        adapters.put(tmp_path, path, tiny)


def test_the_same_file_by_hand_is_taken(tiny: Path, tmp_path: Path) -> None:
    """So that each row of the table above is refused for what it changes."""
    assert adapters.put(tmp_path, written(tmp_path / "new.gguf", tiny, {}), tiny)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(tiny: Path, tmp_path: Path, value: float) -> None:
    with pytest.raises(DamageError, match=r"a number in blk\.0\.attn_q\.weight\.lora_a that is not finite"):
        adapters.put(tmp_path, written(tmp_path / "new.gguf", tiny, {"value": value}), tiny)


def test_an_adapter_that_is_not_there(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(DamageError, match="is not there"):
        adapters.verified(tmp_path, "a" * 64, bases.sha256_of(tiny), tiny)
    (adapters.folder(tmp_path) / f"{'a' * 64}.gguf").mkdir(parents=True)
    with pytest.raises(DamageError, match="can't be read"):
        adapters.verified(tmp_path, "a" * 64, bases.sha256_of(tiny), tiny)


@pytest.mark.parametrize("name", ["", "abc", "A" * 64, "../" * 20 + "abcd", "a" * 64 + "\n"])
def test_only_a_hash_names_an_adapter(tiny: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="names no adapter"):
        adapters.verified(tmp_path, name, bases.sha256_of(tiny), tiny)


def test_a_base_that_changed_is_another_base(tiny: Path, trained: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes())
    before = bases.sha256_of(other)
    with other.open("r+b") as stream:
        stream.seek(-4, os.SEEK_END)
        stream.write(b"\1\2\3\4")
    assert bases.sha256_of(other) != before == bases.sha256_of(tiny)
    with pytest.raises(DamageError, match="belongs to another base"):
        adapters.verified(tmp_path, kept(tmp_path, trained), bases.sha256_of(other), other)


def test_a_base_that_is_cut_short_is_refused_with_the_reason(tiny: Path, trained: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"other\.gguf is cut short: .* install the weights again"):
        adapters.verified(tmp_path, kept(tmp_path, trained), bases.sha256_of(tiny), other)
    with pytest.raises(UsageError, match=r"other\.gguf is cut short: .* install the weights again"):
        Embedded(other).train(ROWS, Parameters(), tmp_path / "a.gguf", lambda done, of: None)


def test_a_full_disk_leaves_nothing(tiny: Path, trained: bytes, tmp_path: Path) -> None:
    file = tmp_path / "new.gguf"
    file.write_bytes(trained)
    code = (
        "import resource, sys; from pathlib import Path; from pipeline.weights import adapters\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "try: adapters.put(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))\n"
        "except OSError as error: print(error.strerror, error.filename)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(file), str(tiny)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True)
    assert done.stdout.startswith("File too large") and str(adapters.folder(tmp_path)) in done.stdout
    assert list(adapters.folder(tmp_path).iterdir()) == [] and file.read_bytes() == trained


def test_a_vacuum_is_shown_what_nobody_needs(tmp_path: Path) -> None:
    assert adapters.unneeded(tmp_path, set()) == []
    first, second = kept(tmp_path, b"1"), kept(tmp_path, b"2")
    inside = adapters.folder(tmp_path)
    (inside / ".a.gguf.123.draft").touch()
    (inside / "notes.txt").touch()
    assert adapters.unneeded(tmp_path, {first}) == [inside / ".a.gguf.123.draft", inside / f"{second}.gguf"]

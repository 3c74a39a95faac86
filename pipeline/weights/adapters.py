"""Where adapters are kept: each file under its own hash, and hashed again every time before it is loaded.

llama.cpp loads an adapter with a flipped bit in silence, and says of one that is cut short only that it failed.
"""

import errno
import hashlib
import re
from collections.abc import Collection
from pathlib import Path

from pipeline.advice import command
from pipeline.disk import file_sha256, replace_file, to_disk
from pipeline.errors import DamageError, UsageError
from pipeline.weights import bases, extras, header
from pipeline.weights.header import ALPHA_KEY, ARCHITECTURE, BASE_KEY, FLOAT32, LORA, TYPE_KEY, BrokenError, Header

_FOLDER = "adapters"
_NAME = re.compile("[0-9a-f]{64}")
_HALVES = (".lora_a", ".lora_b")


def folder(warehouse: Path) -> Path:
    """Returns where a warehouse keeps its adapters, each as <sha256>.gguf."""
    return warehouse / _FOLDER


def base_sha256() -> str:
    """Returns the hash of the embedded weights. Raises UsageError where they are not installed."""
    return bases.sha256_of(bases.named())


def put(warehouse: Path, file: Path, base: Path | None = None) -> str:
    """Moves a finished adapter in, and returns its hash; it is on disk and whole under its name, or not there.

    Raises DamageError for a file that is not an adapter of the base, OSError where it can't be written; then the file stays.
    """
    if reason := _unfit(file, bases.named(base)) or _not_finite(file):
        raise DamageError(f"{file} {reason}; nothing was kept of it")
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    replace_file(_path(warehouse, sha256), content)
    to_disk(folder(warehouse))
    file.unlink()
    return sha256


def verified(warehouse: Path, sha256: str, base_sha256: str, base: Path | None = None) -> Path:
    """Returns the file of an adapter that may be loaded now: it was read to its end, and belongs to the base.

    Raises DamageError, which says what is wrong with it; UsageError for something else than a hash.
    """
    if not _NAME.fullmatch(sha256):
        raise UsageError(f"{sha256!r} names no adapter: a sha256 has 64 digits; next: `{command('adapter', 'list')}`")
    path = _path(warehouse, sha256)
    try:
        reason = "" if file_sha256(path) == sha256 else _change(path)
        reason = reason or _unfit(path, bases.named(base), base_sha256)
    except FileNotFoundError:
        reason = "is not there"
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EISDIR):
            raise
        reason = f"can't be read ({error.strerror})"
    if reason:
        raise DamageError(
            f"{path} {reason}; it was not loaded; next: put it back from a copy, or `{command('adapter', 'revert')}`, "
            "which goes back to the one before it"
        )
    return path


def unneeded(warehouse: Path, kept: Collection[str]) -> list[Path]:
    """Returns the files that a vacuum may remove: adapters that are not to be kept, and what killed writers left."""
    inside = folder(warehouse)
    adapters = (path for path in inside.glob("*.gguf") if _NAME.fullmatch(path.stem) and path.stem not in kept)
    return sorted([*adapters, *inside.glob(".*.draft")])


def _path(warehouse: Path, sha256: str) -> Path:
    return folder(warehouse) / f"{sha256}.gguf"


def _change(path: Path) -> str:
    """Says what became of a file that is not what its name says."""
    try:
        header.read(path)
    except BrokenError as error:
        return str(error)
    return "has other bytes than when it was trained: its name is their hash"


def _unfit(path: Path, base: Path, base_sha256: str | None = None) -> str:
    """Says why a file is not an adapter of a base; nothing where it is."""
    try:
        said = header.read(path)
    except BrokenError as error:
        return str(error)
    wanted = base_sha256 or bases.sha256_of(base)
    fields = said.fields
    alpha = fields.get(ALPHA_KEY)
    if fields.get("general.architecture") != ARCHITECTURE:
        return f"is of the architecture {fields.get('general.architecture')}, and the base of {ARCHITECTURE}"
    if fields.get("general.type") != "adapter" or fields.get(TYPE_KEY) != LORA:
        return "is not a LoRA adapter"
    if not isinstance(alpha, float) or not 0 < alpha < float("inf"):
        return f"has the alpha {alpha}; it must be a number above 0"
    if fields.get(BASE_KEY) != wanted:
        return f"belongs to another base: {str(fields.get(BASE_KEY))[:12]}, and this one is {wanted[:12]}"
    return _misshapen(said, header.read_base(base))


def _misshapen(said: Header, base: Header) -> str:
    """Says which tensor does not go with the base: each layer has A (rank, in) and B (out, rank), with one rank for all."""
    layers = {tensor.name: tensor.shape for tensor in base.tensors if tensor.name.startswith("blk.") and len(tensor.shape) == 2}
    shapes = {tensor.name: tensor.shape for tensor in said.tensors}
    if not shapes or len(shapes) < len(said.tensors):
        return "holds no tensors" if not shapes else "holds a tensor twice"
    rank = next((shape[0] for name, shape in sorted(shapes.items()) if name.endswith(_HALVES[0]) and shape), 0)
    for tensor in said.tensors:
        name, half = tensor.name[:-7], tensor.name[-7:]
        if name not in layers or half not in _HALVES:
            return f"holds {tensor.name}, which the base does not have"
        outs, ins = layers[name]
        wanted = (rank, ins) if half == _HALVES[0] else (outs, rank)
        if tensor.shape != wanted or tensor.kind != FLOAT32 or rank < 1:
            return f"holds {tensor.name} in the shape {tensor.shape}; the base wants {wanted}, as float32"
    halves = {name[:-7] + half for name in shapes for half in _HALVES}
    return f"holds only half of {min(halves - shapes.keys())[:-7]}" if halves != shapes.keys() else ""


def _not_finite(path: Path) -> str:
    extras.require_small()
    from pipeline.weights.llama import adapter

    broken = adapter.not_finite(adapter.read(path))
    return f"holds a number in {broken} that is not finite" if broken else ""

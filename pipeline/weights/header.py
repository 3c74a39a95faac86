"""What a GGUF file says of itself, and whether it is whole: read here, in a moment and without numpy, before anything loads it.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import UsageError

ARCHITECTURE = "llama"
# What the file of an adapter says of it, next to its architecture.
LORA, TYPE_KEY, ALPHA_KEY, BASE_KEY = "lora", "adapter.type", "adapter.lora.alpha", "distillery.base_sha256"
FLOAT32 = 0
_MAGIC, _VERSIONS = b"GGUF", (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_ALIGNMENT = 32
# Longer names and texts, and more dimensions, than any file has that somebody made on purpose.
_LONGEST, _MOST_DIMENSIONS = 1 << 24, 8


class BrokenError(ValueError):
    """A file is not GGUF, or not all of one. The text follows the name of the file: `is cut short`."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file. shape: rows first, as numpy has it; kind: its type among ggml's; offset: in bytes, in the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What stands before the data. fields: numbers, texts, and lists of them, by name; size: of the file in bytes."""

    fields: dict[str, Any]
    tensors: tuple[Tensor, ...]
    size: int


def read(path: Path) -> Header:
    """Reads the header of a file. Raises BrokenError where it is not whole, OSError where it is not there."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        if size == 0:
            raise BrokenError("is empty")
        if (magic := stream.read(4)) != _MAGIC:
            raise BrokenError("holds zeros" if not any(magic) else "is not a GGUF file")
        try:
            return _read(_Reader(stream, size), size)
        except (UnicodeDecodeError, KeyError, RecursionError):
            raise BrokenError("has a header that makes no sense") from None


def read_base(path: Path) -> Header:
    """Reads the header of the weights of a base. Raises UsageError where they are not whole."""
    try:
        return read(path)
    except BrokenError as error:
        raise UsageError(f"{path} {error}; next: install the weights again, the embedded ones with `make setup-llm`") from None


class _Reader:
    """Takes values off a file, none of them beyond its end."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size = stream, size

    def bytes(self, length: int) -> bytes:
        if length > min(_LONGEST, self._size) or len(data := self._stream.read(length)) < length:
            raise BrokenError(f"ends in the middle of its header, after {self._size:,} bytes")
        return data

    def scalar(self, kind: str) -> Any:
        return struct.unpack(kind, self.bytes(struct.calcsize(kind)))[0]

    def count(self) -> int:
        number = int(self.scalar("<Q"))
        if number > self._size:
            raise BrokenError("has a header that makes no sense")
        return number

    def text(self) -> str:
        return self.bytes(self.count()).decode()

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            inner, length = self.scalar("<I"), self.count()
            take: Callable[[], Any] = self.text if inner == _STRING else lambda: self.value(inner)
            return [take() for _ in range(length)]
        return self.scalar(_SCALARS[kind])

    def place(self) -> int:
        return self._stream.tell()


def _read(reader: _Reader, size: int) -> Header:
    if (version := reader.scalar("<I")) not in _VERSIONS:
        raise BrokenError(f"is GGUF of the unknown version {version}")
    number_of_tensors, number_of_fields = reader.count(), reader.count()
    fields = {reader.text(): reader.value(reader.scalar("<I")) for _ in range(number_of_fields)}
    found = [_tensor(reader) for _ in range(number_of_tensors)]
    alignment = fields.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise BrokenError("has a header that makes no sense")
    start = -(-reader.place() // alignment) * alignment
    tensors = tuple(Tensor(tensor.name, tensor.shape, tensor.kind, start + tensor.offset) for tensor in found)
    floats = (tensor for tensor in tensors if tensor.kind == FLOAT32)
    end = max((tensor.offset + 4 * tensor.numbers for tensor in floats), default=start)
    end = max([end, *(tensor.offset for tensor in tensors)])
    if end > size:
        raise BrokenError(f"is cut short: {size:,} of at least {end:,} bytes are there")
    return Header(fields, tensors, size)


def _tensor(reader: _Reader) -> Tensor:
    name, dimensions = reader.text(), reader.scalar("<I")
    if dimensions > _MOST_DIMENSIONS:
        raise BrokenError("has a header that makes no sense")
    shape = tuple(reversed([int(reader.scalar("<Q")) for _ in range(dimensions)]))
    return Tensor(name, shape, reader.scalar("<I"), reader.scalar("<Q"))

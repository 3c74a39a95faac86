"""Reads the text fragments: the invented repository, the findings about it, and the phrases around them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

FRAGMENTS = Path(__file__).parent / "fragments"

# Private-use characters that survive JSON encoding unescaped; emit.py replaces them by the block's number.
NUMBER_MARK = "\ue000"
PATH_MARK = "\ue001"

_VARIANT_FIELDS = ("see", "why", "fix")


def marked(path: str) -> str:
    """The path with the place marked where a block's number goes: before the extension."""
    suffix = PurePosixPath(path).suffix
    return f"{path[: len(path) - len(suffix)]}{PATH_MARK}{suffix}"


@dataclass(frozen=True)
class SourceFile:
    """One file of the invented repository."""

    path: str
    kind: str
    symbols: tuple[str, ...]
    role: str
    risk: str

    @property
    def marked_path(self) -> str:
        return marked(self.path)


@dataclass(frozen=True)
class Finding:
    """Something that can be wrong in files of one kind, told as templates; a field holds its variants."""

    key: str
    fields: dict[str, tuple[str, ...]]
    diff: tuple[str, ...]

    def fits(self, file: SourceFile) -> bool:
        """Whether the finding is about files of this kind and one of its `for:` parts occurs in the path."""
        kind = self.key.partition(".")[0]
        return kind == file.kind and any(part in file.path for part in self.fields["for"][0].split())


@cache
def source_files() -> tuple[SourceFile, ...]:
    """All files that agents work on, in the order of the table."""
    files = []
    for line in _lines("files.txt"):
        if line.startswith("#"):
            continue
        path, kind, symbols, role, risk = (cell.strip() for cell in line.split("|"))
        files.append(SourceFile(path, kind, tuple(symbols.split(", ")), role, risk))
    return tuple(files)


@cache
def known_paths() -> tuple[str, ...]:
    """Every path of the repository, also those that no agent touches, sorted as `git ls-files` does."""
    return tuple(sorted({file.path for file in source_files()} | set(_lines("other_paths.txt"))))


@cache
def findings_of(file: SourceFile) -> tuple[Finding, ...]:
    """The findings that fit a file: of its kind, and written for a part of its path."""
    found = tuple(finding for finding in _all_findings() if finding.fits(file))
    if not found:
        raise ValueError(f"no finding fits {file.path}; add its name to a `for:` line in {FRAGMENTS}")
    return found


@cache
def phrases(section: str) -> tuple[str, ...]:
    """The templates of one section of phrases.txt."""
    return _phrase_book()[section]


@cache
def _all_findings() -> tuple[Finding, ...]:
    return tuple(
        _parse_finding(text)
        for name in sorted(file.name for file in FRAGMENTS.glob("findings_*.txt"))
        for text in re.split(r"^@ ", (FRAGMENTS / name).read_text("utf-8"), flags=re.MULTILINE)[1:]
    )


def _parse_finding(text: str) -> Finding:
    head, _, diff = text.partition("\ndiff:\n")
    key, *lines = head.strip().split("\n")
    fields: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name in fields and name not in _VARIANT_FIELDS:
            raise ValueError(f"finding {key}: field {name} occurs twice")
        fields[name] = (*fields.get(name, ()), value)
    return Finding(key, fields, tuple(diff.rstrip("\n").split("\n")) if diff else ())


@cache
def _phrase_book() -> dict[str, tuple[str, ...]]:
    book: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in _lines("phrases.txt"):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            book[section] = ()
        else:
            book[section] = (*book[section], line)
    return book


def _lines(name: str) -> list[str]:
    return [line for line in (FRAGMENTS / name).read_text("utf-8").split("\n") if line]

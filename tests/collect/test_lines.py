"""read_line beside the standard library: the same hash, the same meaning, and a reason where there is none."""

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.collect.lines import MAX_DEPTH, Line, read_line

FIXED = settings(max_examples=150)
FEWER = settings(FIXED, max_examples=70)

# A value as the text that some writer might give it; hypothesis composes lines of these, so that one value has many spellings.
NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(0, 4300).map(lambda digits: "7" * max(1, digits)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:E}"),
    st.builds(
        "{}{}.{}e{}".format, st.sampled_from(["", "-"]), st.integers(0, 99), st.integers(0, 10**20), st.integers(-330, 310)
    ),
    st.sampled_from(
        ["0", "-0", "-0.0", "0e0", "1e400", "-1e400", "1e-400", "0.0001", "0.00009999", "1e16", "9999999999999998.0"]
    ),
)
CHARACTERS = st.one_of(
    st.characters(codec="utf-8").map(lambda c: json.dumps(c, ensure_ascii=False)[1:-1]),
    st.integers(0, 0xFFFF).map(lambda code: f"\\u{code:04x}"),
    st.sampled_from(
        ['\\"', "\\u0022", "\\\\", "\\/", "\\u0000", "\\ud83d\\ude00", "\\uD83D", "\\udc00", "\u2028", "\ufeff", "\\u005C"]
    ),
)
TEXTS = st.lists(CHARACTERS, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
KEYS = st.one_of(st.sampled_from(['"a"', '"\\u0061"', '"b"', '"A"', '"a\\"b"', '"é"', '"e\u0301"', '"\\u0000"']), TEXTS)
SPACES = st.sampled_from(["", "", " ", "\t", " \r "])


def members(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds("{2}{0}{2}:{2}{1}{2}".format, KEYS, values, SPACES)
    return st.lists(pair, max_size=5).map(lambda parts: "{" + ",".join(parts) + "}")


LEAVES = st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null", "[]", "{}"]))
VALUES = st.recursive(
    LEAVES,
    lambda values: st.one_of(st.lists(values, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"), members(values)),
    max_leaves=12,
)
OBJECTS = members(VALUES)


def deep(levels: int) -> bytes:
    """An object with `levels` levels of nesting, from 2 on."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def canonical_hash(text: str) -> str:
    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@FIXED
@given(OBJECTS)
def test_hash_is_that_of_the_standard_library(text: str) -> None:
    line = read_line(text.encode("utf-8", "surrogatepass"))
    assert (line.status, line.detail) == ("object", None)
    assert line.sig_hash == canonical_hash(text)


ROWS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=6,
)


def test_hash_of_floats_of_every_magnitude() -> None:
    for exponent in range(-330, 310):
        for digits in ("1", "-1.5", "9.999999999999999", "1.7976931348623157", "123456789"):
            for text in (f"{digits}e{exponent}", repr(float(f"{digits}e{exponent}"))):
                line = f'{{"a":[{text}]}}'
                if "inf" not in text:
                    assert read_line(line.encode()).sig_hash == canonical_hash(line), line


@FEWER
@given(st.dictionaries(st.text(max_size=4), ROWS, max_size=4))
def test_hash_of_a_row_does_not_depend_on_how_it_was_written(row: dict[str, Any]) -> None:
    spellings = [
        json.dumps(row),
        json.dumps(row, ensure_ascii=False, indent=1),
        json.dumps(dict(reversed(row.items())), separators=(",", ":")),
    ]
    hashes = {read_line(text.encode("utf-8", "surrogatepass")).sig_hash for text in spellings if _is_utf8(text)}
    assert hashes == {canonical_hash(json.dumps(row))}


@FIXED
@given(
    st.one_of(st.binary(max_size=12), OBJECTS.map(lambda text: text.encode("utf-8", "surrogatepass"))),
    st.binary(max_size=3),
    st.integers(0, 40),
)
def test_status_is_that_of_the_standard_library(raw: bytes, noise: bytes, place: int) -> None:
    broken = raw[:place] + noise + raw[place:]
    line = read_line(broken)
    assert line.status == _expected_status(broken)
    assert (line.detail is None) == (line.status == "object") == (line.sig_hash is not None)
    assert line.meaning is None or line.status == "object"


def _expected_status(raw: bytes) -> str:
    try:
        row = json.loads(raw.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        return "invalid_utf8"
    except ValueError:
        return "invalid_json"
    return "object" if isinstance(row, dict) else "not_an_object"


def _refuse(name: str) -> None:
    raise ValueError(name)


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@pytest.fixture(scope="module")
def from_json() -> Iterator[Callable[[str, str], str | None]]:
    """What a model reads: the value of one key as JSON text, by DuckDB's from_json."""
    connection = duckdb.connect()

    def read(text: str, key: str) -> str | None:
        (found,) = connection.execute("select from_json(?, ?)", [text, json.dumps({key: "JSON"})]).fetchone() or (None,)
        assert isinstance(found, dict)
        value: str | None = found.popitem()[1]
        return value

    yield read
    connection.close()


@FEWER
@given(text=OBJECTS)
def test_duckdb_reads_what_python_reads(from_json: Callable[[str, str], str | None], text: str) -> None:
    line = read_line(text.encode("utf-8", "surrogatepass"))
    _same_meaning(from_json, line, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": [1e999]}}',
        '{"\\u0061": 1, "a": "\\u0022"}',
        '{"a": "\\u0022", "a": 1}',
        '{"a": "\\ud800 \\udc00\\ud800", "b": "\\ud83d\\ude00"}',
        '{"a": 18446744073709551615, "b": 18446744073709551616, "c": -9223372036854775809}',
        '{"a": "\\u0000", "b": "x\\u0000y"}',
        '{"a": ' + "9" * 4300 + "}",
        '{"a": "' + "x" * 300_000 + '", "a": "' + "y" * 300_000 + '"}',
    ],
    ids=lambda text: text[:24],
)
def test_duckdb_reads_what_python_reads_in_known_traps(from_json: Callable[[str, str], str | None], text: str) -> None:
    _same_meaning(from_json, read_line(text.encode()), text)


def _same_meaning(from_json: Callable[[str, str], str | None], line: Line, text: str) -> None:
    said = line.meaning if line.meaning is not None else text
    said.encode("utf-8")
    row: dict[str, Any] = json.loads(text)
    for key, value in row.items():
        if not key or not _is_utf8(key):  # DuckDB has no columns of such names
            continue
        found = from_json(said, key)
        if value is None:
            assert found is None or found == "null"
        else:
            assert found is not None
            assert repr(json.loads(found)) == repr(_storable(value))


def _storable(value: Any) -> Any:
    """What a column can hold of a value: numbers beyond a double become the largest one, a lone surrogate U+FFFD."""
    if isinstance(value, float) and math.isinf(value):
        return math.copysign(sys.float_info.max, value)
    if isinstance(value, str):
        return "".join(character if _is_utf8(character) else "\ufffd" for character in value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize(
    ("raw", "status", "detail"),
    [
        (b'{"a":NaN}', "invalid_json", "NaN"),
        (b'{"a":[1,Infinity]}', "invalid_json", "Infinity"),
        (b'{"a":-Infinity,"a":1}', "invalid_json", "-Infinity"),
        (deep(MAX_DEPTH + 1), "invalid_json", "512 levels"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "invalid_json", "512 levels"),
        (b"[" * 200_000, "invalid_json", "512 levels"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_json", "BOM"),
        (b'{"a":"\xff"}', "invalid_utf8", "byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8", "byte 6"),
        (b'\xff{"a":NaN', "invalid_utf8", "byte 0"),
        (b'{"a":' + b"1" * 5000 + b"}", "invalid_json", "4300"),
        (b'{"a":1}\x00', "invalid_json", ""),
        (b'{"a":"\x00"}', "invalid_json", ""),
        (b'{"a":1,}', "invalid_json", ""),
        (b"null", "not_an_object", "null"),
        (b"true", "not_an_object", "boolean"),
        (b"-1.5e3", "not_an_object", "number"),
        (b'"{}"', "not_an_object", "string"),
        (b"[{}]", "not_an_object", "list"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_object_says_why(raw: bytes, status: str, detail: str) -> None:
    line = read_line(raw)
    assert line.status == status
    assert line.detail is not None
    assert detail in line.detail
    assert (line.sig_hash, line.meaning) == (None, None)


@pytest.mark.parametrize("levels", [2, 253, 254, 255, 511, MAX_DEPTH])
def test_deep_objects_are_objects(from_json: Callable[[str, str], str | None], levels: int) -> None:
    raw = deep(levels)
    line = read_line(raw)
    assert line.sig_hash == canonical_hash(raw.decode())
    assert from_json(line.meaning or raw.decode(), "a") == raw[5:-1].decode()


def test_brackets_inside_of_texts_do_not_nest() -> None:
    raw = b'{"a":"' + b'[{\\"' * 1000 + b'","b":1e-7}'
    assert read_line(raw).sig_hash == canonical_hash(raw.decode())


@pytest.mark.parametrize("exponent", [b"", b',"b":1e-7'], ids=["plain", "slow"])
@pytest.mark.parametrize("text", [b"x" * 20_000_000, b'f(x[1]) {}\\"\\n' * 1_500_000], ids=["letters", "code"])
def test_a_line_of_20_mb(text: bytes, exponent: bytes) -> None:
    raw = b'{"a":"' + text + b'"' + exponent + b"}"
    assert read_line(raw).sig_hash == canonical_hash(raw.decode())


def test_a_line_of_20_mb_takes_a_bounded_multiple_of_its_size() -> None:
    """Landing reads a chunk on every core: what one line costs must stay far below the memory of the machine."""
    program = (
        "import re; from pathlib import Path; from pipeline.collect.lines import read_line\n"
        'raw = b\'{"a":"\' + b\'f(x[1]) {}\\\\"\\\\n\' * 1_500_000 + b\'","b":1e-7}\'\n'
        "assert read_line(raw).status == 'object'\n"
        # Not ru_maxrss, which a process takes over from the one that starts it.
        "print(int(re.search('VmHWM: *([0-9]+)', Path('/proc/self/status').read_text().replace(chr(9), ''))[1]) // 1024)"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert int(done.stdout) < 600  # MB; ten times the line, and the interpreter

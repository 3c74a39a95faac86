"""Words of sql/functions.sql that were made fast, held against what they mean, character by character."""

import json
import math
import unicodedata
from fractions import Fraction

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine

WHITE = " \t\n\r\f\v"
HIDING = "\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2066\u2067\u2068\u2069\u206f\ufeff"
INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf")
# Few characters, so that runs of them come up: words, white space of every kind, what hides, and their neighbours.
TEXTS = st.text(
    st.sampled_from("ab.ü漢🎉" + WHITE + HIDING + "\x00\x1f\x7f\x85\xa0\u1680\u2003\u200b\u2028\u3000"), max_size=30
)
QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def moves_or_hides(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zs", "Zl", "Zp") or character in HIDING


@QUICK
@given(text=TEXTS)
def test_trimmed(engine: Engine, text: str) -> None:
    assert engine.value("select trimmed(?)", [text]) == text.strip(WHITE)


@QUICK
@given(text=TEXTS)
def test_blank(engine: Engine, text: str) -> None:
    seen = [character for character in text if unicodedata.category(character) not in INVISIBLE]
    assert engine.value("select is_blank(?)", [text]) == (not seen)
    assert engine.value("select filled(?)", [text]) == (text if seen else None)


def test_every_character_is_blank_or_not_as_its_category_says(engine: Engine) -> None:
    """Python and the engine may know another version of Unicode: they differ at most in what Python has no character for."""
    points = "select unnest(range(1, 1114112)) as point"
    query = f"select point from ({points}) where point not between 55296 and 57343 and is_blank(chr(cast(point as integer)))"
    blank = {row["point"] for row in engine.rows(query)}
    expected = {n for n in range(1, 0x110000) if unicodedata.category(chr(n)) in INVISIBLE}
    assert expected <= blank
    assert {unicodedata.category(chr(n)) for n in blank - expected} <= {"Cn"} and len(blank - expected) < 20
    assert engine.value("select is_blank(?)", ["\x00"])


@QUICK
@given(text=TEXTS)
def test_one_line(engine: Engine, text: str) -> None:
    words = "".join(" " if moves_or_hides(character) else character for character in text).split(" ")
    assert engine.value("select one_line(?)", [text]) == " ".join(filter(None, words))


def test_nothing_stays_nothing(engine: Engine) -> None:
    assert engine.rows("select trimmed(null) as trimmed, one_line(null) as one_line") == [{"trimmed": None, "one_line": None}]


@QUICK
@example(written="1638674608.017")
@example(written="1775000000.999999")
@example(written="1518301809778.267")
@example(written="1.7750000009e9")
@example(written="-62135596800.5")
@example(written="-0.0000001")
@example(written="1e300")
@given(written=st.from_regex(r"-?(0|[1-9][0-9]{0,13})\.[0-9]{1,9}", fullmatch=True))
def test_a_number_is_a_time_to_the_microsecond(engine: Engine, written: str) -> None:
    """A number with a fraction is what any JSON parser makes of it, in its shortest form; further digits are cut off."""
    exact = Fraction(repr(float(written)))
    moment = math.floor(exact * (1_000 if exact >= 10**11 else 1_000_000))
    expected = moment if -62135596800 * 10**6 <= moment < 253402300800 * 10**6 else None
    row = json.dumps({"ts": 0}).replace("0", written)
    assert engine.value("select epoch_us(utc_from_number(json_extract(?, '$.ts')))", [row]) == expected

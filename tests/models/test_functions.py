"""Words of sql/functions.sql that were made fast, held against what they mean, character by character."""

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine

WHITE = " \t\n\r\f\v"
HIDING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
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
def test_one_line(engine: Engine, text: str) -> None:
    words = "".join(" " if moves_or_hides(character) else character for character in text).split(" ")
    assert engine.value("select one_line(?)", [text]) == " ".join(filter(None, words))


def test_nothing_stays_nothing(engine: Engine) -> None:
    assert engine.rows("select trimmed(null) as trimmed, one_line(null) as one_line") == [{"trimmed": None, "one_line": None}]

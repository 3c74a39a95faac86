"""What texts are searched by: words cut where code cuts them, and names kept whole."""

import re

import pytest

from pipeline.engine import Engine
from pipeline.index.fulltext import FORMAT
from pipeline.models.parsing import fingerprint_of
from pipeline.settings import builtin_sql

NAMES = {
    "calls load_user_record() twice": "load_user_record",
    "UserRecordLoader failed": "UserRecordLoader",
    "see src/auth/token.py:12, or token.py.": "src/auth/token.py token.py",
    "exit code ERR_CONN_RESET (E1234)": "ERR_CONN_RESET",
    "duckdb 1.5.5 and --no-cross-stream": "1.5.5 no-cross-stream",
    "__init__ of a class, HTTPServer, a_": "",
    "größe_messen and 用户_记录": "größe_messen 用户_记录",
    "größeMessen": "größeMessen",
    "详见（src/auth/token.py），🔧src/a.py、\ufeffb_c": "src/auth/token.py src/a.py b_c",
    "1×load_a ÷b_c ・d_e，f_g": "load_a b_c d_e f_g",
    "": "",
    "\x00 \" ' ( - _ . /": "",
}
SPACED = {
    "UserRecord loads HTTPServer": "User Record loads HTTPServer",
    "load_user E1234 3.14": "load_user E1234 3.14",
    "用户a": " 用  户 a",
    "ユーザーID": " ユ  ー  ザ  ー ID",
    "ไทยa": " ไ  ท  ย a",
    "größeMessen": "größe Messen",
    "\x00": "\x00",
}


def said(engine: Engine, function: str, text: str) -> str:
    ((found,),) = (row.values() for row in engine.rows(f"select {function}(?) as found", [text]))
    return str(found)


@pytest.mark.parametrize("text", NAMES)
def test_names(engine: Engine, text: str) -> None:
    assert said(engine, "names_in", text) == NAMES[text]


@pytest.mark.parametrize("text", SPACED)
def test_words_are_spaced(engine: Engine, text: str) -> None:
    assert said(engine, "spaced", text) == SPACED[text]


@pytest.mark.parametrize("text", ["a_" * 500_000, "aB" * 500_000, "a" * 1_000_000, "a-._/" * 200_000, "_" * 1_000_000], ids=len)
def test_a_long_text_takes_no_longer_than_its_length(engine: Engine, text: str) -> None:
    # Quadratic time would be hours; the limit of a test is minutes.
    assert len(said(engine, "names_in", text)) <= len(text)
    assert said(engine, "spaced", text).replace(" ", "") == text


def test_a_change_of_the_cutting_is_a_new_format() -> None:
    """An index must not hold words that were cut in two ways. Where this fails, raise the number in FORMAT, then pin both."""
    text = (builtin_sql() / "functions.sql").read_text(encoding="utf-8")
    macros = re.findall(r"^create macro (?:spaced|names_in)\(.*?;$", text, re.DOTALL | re.MULTILINE)
    assert len(macros) == 2
    assert (FORMAT.split(",")[0], fingerprint_of("\n".join(macros))[:16]) == ("3", "b638f2f399131f2c")

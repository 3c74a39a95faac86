"""What texts are searched by: words cut where code cuts them, and names kept whole."""

import pytest

from pipeline.codewords import names, spaced

NAMES = {
    "calls load_user_record() twice": "load_user_record",
    "UserRecordLoader failed": "UserRecordLoader",
    "see src/auth/token.py:12, or token.py.": "src/auth/token.py token.py",
    "exit code ERR_CONN_RESET (E1234)": "ERR_CONN_RESET",
    "duckdb 1.5.5 and --no-cross-stream": "1.5.5 no-cross-stream",
    "__init__ of a class, HTTPServer, a_": "",
    "größe_messen and 用户_记录": "größe_messen 用户_记录",
    "": "",
    "\x00 \" ' ( - _ . /": "",
}
SPACED = {
    "UserRecord loads HTTPServer": "User Record loads HTTPServer",
    "load_user E1234 3.14": "load_user E1234 3.14",
    "用户a": " 用  户 a",
    "größe": "größe",
}


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    assert names(text) == NAMES[text]


@pytest.mark.parametrize("text", SPACED)
def test_words_are_spaced(text: str) -> None:
    assert spaced(text) == SPACED[text]


@pytest.mark.parametrize("text", ["a_" * 500_000, "aB" * 500_000, "a" * 1_000_000, "a-._/" * 200_000, "_" * 1_000_000], ids=len)
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    # Quadratic time would be hours; the limit of a test is minutes.
    assert len(names(text)) <= len(text)
    assert spaced(text).replace(" ", "") == text

"""What a text is searched by, so that code is found: its words, and beside them the names that stand in it whole.

`load_user_record`, `UserRecordLoader` and `src/auth/token.py` are found by their parts and, before texts that only share
some of these, as a whole. Texts and questions go through the same functions, so the two always agree.
"""

import re

# A run of letters and digits that goes on behind `_`, `.`, `/` or `-`, or one with a capital behind a small letter. Every
# repeat is possessive: nothing is tried twice, however long a hostile text is.
_NAME = re.compile(r"(?<![^\W_])(?:[^\W_]++(?:[_./\-]++[^\W_]++)++|[A-Z0-9]*+[a-z0-9]++[A-Z][^\W_]*+)")
# What a name has and a plain word lacks: found much faster than a name.
_SIGN = re.compile(r"[_./\-][^\W_]|[a-z0-9][A-Z]")
# The capital comes first in the pattern, although it stands second: capitals are rare, and looked for at once.
_HUMP = re.compile(r"[A-Z](?<=[a-z][A-Z])")
# Scripts that put no space between words: each character counts as a word.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])"
)


def spaced(text: str) -> str:
    """Returns the text with a space wherever a word ends that no sign ends: between `user` and `Record`, between 用 and 户."""
    text = _HUMP.sub(r" \g<0>", text)
    return text if text.isascii() else _UNSPACED.sub(r" \1 ", text)


def names(text: str) -> str:
    """Returns the names in a text, such as identifiers, paths, versions and hyphenated codes, with a space between them."""
    return " ".join(name for word in text.split() if _SIGN.search(word) for name in _NAME.findall(word))

"""What a terminal would obey, made visible: in names and texts that others wrote."""

import re

# Controls; what is not seen, but hides or turns round what is; other ends of lines; halves of characters.
_OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff]"
)
# The bytes that all of these but halves of characters begin with, beyond those that JSON escapes anyway.
_MAY_BE_OBEYED = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe1\xa0\x8e|\xe2[\x80\x81]|\xef[\xbb\xbf]|\xf0\x9b\xb2|\xf0\x9d\x85|\xf3\xa0"
)
_NAMED = {"\t": "\\t", "\r": "\\r"}


def shown(text: str) -> str:
    """Returns a text with its lines, and with escapes in the place of what a terminal would obey.

    A document of JSON stays what it is: only below 0x20, which JSON never holds, is an escape not one of JSON's own.
    """
    return _OBEYED.sub(lambda found: escape(found[0]), text)


def shown_json(document: bytes) -> bytes:
    """Returns the same document of JSON, with its own escapes in the place of what a terminal would obey."""
    return shown(document.decode()).encode() if _MAY_BE_OBEYED.search(document) else document


def on_one_line(text: object) -> str:
    """Returns the same with the ends of its lines shown, too: nobody's name can look like a line of ours."""
    return shown(str(text)).replace("\n", "\\n")


def escape(character: str) -> str:
    """Returns the escape of one character."""
    code = ord(character)
    if code < 0x20:
        return _NAMED.get(character, f"\\x{code:02x}")
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))

"""Texts inside SQL."""


def quoted(text: str) -> str:
    """Returns a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"

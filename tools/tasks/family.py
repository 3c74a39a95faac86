"""A family of tasks: three functions that are alike."""

from typing import NamedTuple


class Family(NamedTuple):
    """What its functions have in common.

    args:     as the signature has them
    text:     what a function does, in the third person; `{0}` and on are filled in by each variant
    body:     of the reference, with the same words
    variants: the function's name, and the words
    inputs:   arguments of the calls, the same for each
    """

    name: str
    args: str
    text: str
    body: str
    variants: tuple[tuple[str, ...], ...]
    inputs: tuple[str, ...]

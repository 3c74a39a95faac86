"""Text to tokens as llama.cpp does it for this vocabulary, and a conversation as the model's template has it.

Written out so that training needs no server. A test holds it against llama.cpp on hostile text.
"""

import heapq
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from pipeline.errors import UsageError

START, END = "<|im_start|>", "<|im_end|>"
_CONTROL = 3  # the type of a token that stands for no text
_PRE_TOKENIZERS = ("smollm",)
_SYSTEM = re.compile(re.escape(START) + r"system(?:\n|\\n)(.*?)" + re.escape(END), re.DOTALL)
# What llama.cpp takes for white space; Python's own has four more.
_SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))
# GPT-2's pattern over a shadow of the text in which every sign stands for its class: letters are lower case or X, a number is 0
# and a word of its own, other white space is a line feed, and all else a full stop.
_CONTRACTED = frozenset("strevmld")
_WORD = re.compile(r"'(?:[stmd]|re|ve|ll)| ?[a-zX]+| ?['.]+|\s+(?![^\s0])|\s+|0")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, the byte pairs that merge in their order, and what its template says before a conversation."""

    tokens: Sequence[str]
    merges: Sequence[str]
    controls: frozenset[str]
    system: str

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Vocabulary":
        """Takes the vocabulary from what a GGUF file says. Raises UsageError for one of another kind."""
        kind, template = fields.get("tokenizer.ggml.pre"), str(fields.get("tokenizer.chat_template", ""))
        system = _SYSTEM.search(template)
        if fields.get("tokenizer.ggml.model") != "gpt2" or kind not in _PRE_TOKENIZERS or system is None:
            raise UsageError(f"a base with the tokenizer {kind!r} can't be trained here; known: {', '.join(_PRE_TOKENIZERS)}")
        tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
        controls = frozenset(token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL)
        return cls(tokens, fields["tokenizer.ggml.merges"], controls, system[1])

    @cached_property
    def ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {(left, right): rank for rank, (left, _, right) in enumerate(pair.partition(" ") for pair in self.merges)}

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text, in which nothing is a control token."""
        return [token for word in words(text) for token in self._word(word)]

    def _word(self, word: str) -> Iterator[int]:
        for part in _merged([_SIGNS[byte] for byte in word.encode("utf-8", "replace")], self._ranks):
            if part in self.ids:
                yield self.ids[part]
            else:
                yield from (self.ids[sign] for sign in part if sign in self.ids)

    def conversation(self, prompt: str, answer: str) -> tuple[list[int], int] | None:
        """Returns a question and its answer as tokens, and where the answer begins; it ends with the token that ends a turn.

        None where a text spells a control token: it would be another conversation.
        """
        if any(control in text for text in (prompt, answer) for control in self.controls):
            return None
        start, end, line = self.ids[START], self.ids[END], self.encode("\n")
        ids = [start, *self.encode(f"system\n{self.system}"), end, *line, start, *self.encode(f"user\n{prompt}"), end, *line]
        ids += [start, *self.encode("assistant\n")]
        return [*ids, *self.encode(answer), end], len(ids)


def words(text: str) -> list[str]:
    """Returns the words of a text: byte pairs merge within one, never across two.

    >>> words("it's 42  lines\\n")
    ['it', "'s", ' ', '4', '2', ' ', ' lines', '\\n']
    """
    shadow = "".join(map(_class_of, text))
    return [text[found.start() : found.end()] for found in _WORD.finditer(shadow)]


@lru_cache(4096)
def _class_of(sign: str) -> str:
    if sign in _CONTRACTED or sign in " '":
        return sign
    if sign in _SPACES:
        return "\n"
    return {"L": "X", "N": "0"}.get(unicodedata.category(sign)[0], ".")


def _merged(parts: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Merges pairs, the first in rank before all others and the leftmost of its kind; n log n for a word of n bytes."""
    after, before = [*range(1, len(parts)), -1], list(range(-1, len(parts) - 1))
    waiting: list[tuple[int, int, str, str]] = []

    def offer(left: int, right: int) -> None:
        if left >= 0 and right >= 0 and (rank := ranks.get((parts[left], parts[right]))) is not None:
            heapq.heappush(waiting, (rank, left, parts[left], parts[right]))

    for left in range(len(parts) - 1):
        offer(left, left + 1)
    while waiting:
        _, left, first, second = heapq.heappop(waiting)
        right = after[left]
        if parts[left] != first or right < 0 or parts[right] != second:
            continue  # one of the two merged with another meanwhile
        parts[left], parts[right], after[left] = first + second, "", after[right]
        if after[left] >= 0:
            before[after[left]] = left
        offer(before[left], left)
        offer(left, after[left])
    return [part for part in parts if part]


def _signs() -> dict[int, str]:
    """GPT-2's sign for each byte: itself where it can be seen, else one beyond 255, in order."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}


_SIGNS = _signs()

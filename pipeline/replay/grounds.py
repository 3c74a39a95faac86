"""What an answer's claims are looked up in: the task, and the records, steps and playbooks of its bundle."""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pipeline.replay.claims import Claim, cleaned, numbers
from pipeline.replay.words import words

_SPACES = re.compile(r"\s+")


class Grounds:
    """Texts that claims may rest on."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._text = cleaned("\n".join(texts))

    @cached_property
    def _one_line(self) -> str:
        return _SPACES.sub(" ", self._text.replace("`", ""))

    @cached_property
    def _folded(self) -> str:
        return self._one_line.casefold()

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset(numbers(self._text))

    @cached_property
    def _values(self) -> frozenset[str]:
        """Numbers whatever stands beside them; those inside of names and dates too."""
        found = {number.split(" ")[0] for number in self._numbers} | {number.split(" ")[-1] for number in self._numbers}
        return frozenset(found | set(re.findall(r"\d+", self._text)))

    def hold(self, claim: Claim) -> bool:
        """True where a claim, other than a citation, stands in these texts."""
        if claim.kind == "quote":
            return _whole(_SPACES.sub(" ", claim.token.strip(".,;:!?… ")).replace("`", "").casefold(), self._folded)
        if claim.kind == "span":
            return _whole(_SPACES.sub(" ", claim.token), self._one_line)
        if claim.kind == "number":
            return claim.token in (self._values if claim.token.replace(".", "").isdigit() else self._numbers)
        if claim.kind == "call":
            return self._calls(claim.token)
        after = r"(?!\w)" if claim.kind != "path" else r"(?![\w-])"
        return re.search(rf"(?<!\w){re.escape(claim.token)}{after}", self._text) is not None

    def _calls(self, name: str) -> bool:
        """A name of one plain word has to stand there as code: `open` is a word of English, too."""
        if re.search(r"[_.A-Z]", name):
            return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self._text) is not None
        plain = re.escape(name)
        return re.search(rf"(?<!\w){plain}\(|`{plain}`|\b(?:def|func|fn|function) {plain}\b", self._text) is not None


def _whole(token: str, text: str) -> bool:
    before = r"(?<!\w)" if token[:1].isalnum() or token[:1] == "_" else ""
    after = r"(?!\w)" if token[-1:].isalnum() or token[-1:] == "_" else ""
    return re.search(before + re.escape(token) + after, text) is not None


def record_texts(record: dict[str, Any]) -> list[str]:
    """Returns what a record of a bundle says, and what is said of it."""
    return [record["id"], record["title"], record["content"] or "", record["source"], record["category"]]


def texts_of(bundle: dict[str, Any], ids: frozenset[str] | None = None) -> list[str]:
    """Returns the texts of a bundle, or only those of the records and playbooks with these ids."""
    found = []
    for record in bundle["records"]:
        if ids is None or record["id"] in ids:
            found += record_texts(record)
    for step in bundle["steps"]:
        if ids is None or step["id"] in ids:
            found.append(step["step"])
    for playbook in bundle["playbooks"]:
        if ids is None or playbook["id"] in ids:
            found += [playbook["id"], playbook["title"]]
    return found


def content_words(text: str) -> frozenset[str]:
    """Returns the words of a text that say what it is about."""
    return frozenset(re.findall(r"[^\W_]{3,}", text.casefold())) - words().stop_words

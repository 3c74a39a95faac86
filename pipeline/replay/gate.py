"""The gate: whether an answer may stand, decided by code alone. The same answer, task and bundle get the same verdict."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.replay.claims import Claim, cited, claims, cleaned
from pipeline.replay.grounds import Grounds, content_words, texts_of
from pipeline.replay.words import words

# A citation behind a full stop belongs to the sentence before it.
_SENTENCE = re.compile(r"(?<=[.!?\]])\s+(?=[A-Z`\"'“*-])|\n+")
_CITATION = re.compile(r"\[?(?:rag|playbook)-[0-9a-f]{16}\]?")
_SHOWN = 200
STRUCTURAL = ("empty", "too_short", "too_long", "hedging", "repeats", "off_checklist", "fence")
FABRICATED, UNCITED, MISPLACED, UNLIKE = "fabricated", "uncited", "not_in_cited", "unlike_cited"


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against an answer.

    rule:  one of STRUCTURAL, or fabricated, uncited, not_in_cited, unlike_cited
    kind:  of a claim, what it is: path, identifier, number...
    token: what was found, as it stands in the answer
    why:   in words
    """

    rule: str
    kind: str
    token: str
    why: str


@dataclass(frozen=True)
class Judgement:
    """What the gate says of an answer. claims: how many things in it were looked up."""

    findings: tuple[Finding, ...]
    claims: int

    @property
    def passed(self) -> bool:
        return not self.findings

    @property
    def verdict(self) -> str:
        return "passed" if self.passed else "refused"

    @property
    def fabricated(self) -> int:
        """How many tokens of the answer stand nowhere; one that is a code span and an identifier counts once."""
        return len({finding.token for finding in self.findings if finding.rule == FABRICATED})

    def as_json(self) -> list[dict[str, str]]:
        return [asdict(finding) for finding in self.findings]


def judge(task: str, bundle: dict[str, Any], answer: str, fence: str = "") -> Judgement:
    """Returns what speaks against an answer to a task, given the bundle that it was to rest on.

    fence: what the evidence was fenced with in the prompt: it has no business in an answer
    """
    answer = cleaned(answer).strip()
    if not answer:
        return Judgement((Finding("empty", "", "", "there is no answer"),), 0)
    held = claims(answer)
    found = [*_structure(bundle, answer, fence), *_grounding(task, bundle, answer, held)]
    return Judgement(tuple(dict.fromkeys(found)), len(held))


def _structure(bundle: dict[str, Any], answer: str, fence: str) -> Iterator[Finding]:
    limits, size = words(), len(answer.split())
    if size < limits.least_words:
        yield Finding("too_short", "", str(size), f"{size} words; an answer has {limits.least_words} or more")
    if size > limits.most_words:
        yield Finding("too_long", "", str(size), f"{size} words; an answer has {limits.most_words} at most")
    plain = " ".join(answer.casefold().replace("’", "'").split())
    for phrase in limits.hedging:
        if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", plain):
            yield Finding("hedging", "", phrase, "the answer says that it does not know")
    sentences = Counter(sentence.strip() for sentence in _SENTENCE.split(answer) if len(sentence.split()) > 2)
    for sentence, amount in sentences.items():
        if amount > limits.most_repeats:
            yield Finding("repeats", "", sentence[:_SHOWN], f"stands there {amount} times")
    if fence and fence in answer:
        yield Finding("fence", "", fence, "the mark that fences the evidence is not for answers")
    yield from _off_checklist(bundle, answer)


def _off_checklist(bundle: dict[str, Any], answer: str) -> Iterator[Finding]:
    steps = [content_words(step["step"]) for step in bundle["steps"]]
    least, said = words().shared_with_checklist, content_words(answer)
    shared = max((len(step & said) - min(least, len(step)) for step in steps), default=0)
    if shared < 0:
        yield Finding("off_checklist", "", "", f"shares no {least} words with any of the {len(steps)} steps to verify")


def _grounding(task: str, bundle: dict[str, Any], answer: str, held: list[Claim]) -> Iterator[Finding]:
    known = {record["id"] for record in bundle["records"]}
    playbooks = {playbook["id"] for playbook in bundle["playbooks"]}
    asked = set(cited(task))
    everything = Grounds([task, *texts_of(bundle)])
    names = {claim.token for claim in held if claim.kind == "citation"}
    for claim in held:
        if claim.kind == "citation":
            if claim.token not in known | playbooks | asked:
                yield Finding(FABRICATED, claim.kind, claim.token, "is the id of no record of the bundle")
        elif not everything.hold(claim):
            yield Finding(FABRICATED, claim.kind, claim.token, "stands neither in the task nor in the bundle")
    if not names & known:
        yield Finding(UNCITED, "citation", "", "the answer cites no record of the bundle")
    yield from _misplaced(task, bundle, answer, everything)


def _misplaced(task: str, bundle: dict[str, Any], answer: str, everything: Grounds) -> Iterator[Finding]:
    """Yields claims that stand in the bundle, but not in what their own sentence cites; and sentences unlike it."""
    ids = {held["id"] for held in (*bundle["records"], *bundle["playbooks"])}
    for sentence in _SENTENCE.split(answer):
        names = frozenset(cited(sentence)) & ids
        if not names:
            continue
        texts, said = texts_of(bundle, names), content_words(_CITATION.sub(" ", sentence))
        if said and len(said & content_words("\n".join(texts))) < words().shared_with_cited * len(said):
            yield Finding(
                UNLIKE, "", sentence.strip()[:_SHOWN], f"says hardly a word of {', '.join(sorted(names))}, which it cites"
            )
        grounds = Grounds([task, *texts])
        for claim in claims(sentence):
            if claim.kind != "citation" and everything.hold(claim) and not grounds.hold(claim):
                why = f"stands in the bundle, but not in {', '.join(sorted(names))}, which its sentence cites"
                yield Finding(MISPLACED, claim.kind, claim.token, why)

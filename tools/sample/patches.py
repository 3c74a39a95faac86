"""Unified diffs of the fixes."""

from random import Random

from tools.sample.case import Case

_HUNK_OWNER = {"api": "def", "billing": "def", "worker": "def", "testpy": "def", "go": "func", "rust": "fn"}


def patch(cases: tuple[Case, ...], complete: bool, rng: Random) -> str:
    """A unified diff of one case, or of two as two hunks; an incomplete one lacks an added line."""
    with_diff = [case for case in cases if case.finding.diff]
    chosen = with_diff[: 2 if rng.random() < 0.25 else 1]
    chosen.sort(key=lambda case: int(case.values["line"]))
    path = cases[0].values["path"]
    lines = [f"--- a/{path}", f"+++ b/{path}"]
    shift = 0
    drift = rng.choice((0, 0, 1, 2, 4, 7, 11))  # the file moved on between two tries
    for case in chosen:
        hunk, grown = _hunk(case, _body(case, complete, rng), drift, shift)
        lines += hunk
        shift += grown
    return "\n".join(lines) + "\n"


def snippet(case: Case, rng: Random) -> str:
    """The lines of the fix alone, for a fenced block in a review."""
    return "\n".join(_body(case, True, rng))


def _body(case: Case, complete: bool, rng: Random) -> list[str]:
    lines = [case.say(line, rng) for line in case.finding.diff]
    added = [at for at, line in enumerate(lines) if line.startswith("+")]
    if not complete and len(added) > 1:
        del lines[rng.choice(added)]
    return lines


def _hunk(case: Case, body: list[str], drift: int, shift: int) -> tuple[list[str], int]:
    removed = sum(not line.startswith("+") for line in body)
    added = sum(not line.startswith("-") for line in body)
    at = int(case.values["line"]) + drift
    owner = _HUNK_OWNER.get(case.file.kind)
    context = f" {owner} {case.values['fn']}" if owner else ""
    return [f"@@ -{at},{removed} +{at + shift},{added} @@{context}", *body], added - removed

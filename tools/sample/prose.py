"""What agents write: reviews, notes, audit evidence, answers. Each composed from a task's cases."""

from random import Random

from tools.sample import patches
from tools.sample.case import Case, lower_first
from tools.sample.corpus import phrases

Cases = tuple[Case, ...]

_ANSWERS = (
    ("{see} {why}", "{fix}"),
    ("{ok_s}", "{fact}"),
    ("{see}", "{why}"),
    ("{see}", "{fact}"),
    ("{ok_s}",),
    ("{why}", "{fix}"),
    ("{fix}", "The reason: {why_l}"),
    ("{see} {why}", "{fact}"),
)
_WEAK_POINTS = (
    "{see}",
    "{see} {weak}",
    "In `{fn}`: {weak}",
    "{weak} I would look at `{fn}` and `{other}` first.",
    "{fix}",
    "Around line {line}: {weak}",
    "{weak} {fact}",
)


def review(cases: Cases, style: str, good: bool, rng: Random) -> str:
    """A review as a model writes it: a good one argues with lines, a weaker one stays general."""
    points = [_point(case, good, rng) for case in _some(cases, rng, most=3 if good else 2)]
    opener = cases[0].pick("open_good" if good else "open_partial", rng)
    closer = cases[0].pick("close_good" if good else "close_partial", rng)
    text = _STYLES[style](opener, points, closer)
    if good and cases[0].finding.diff and rng.random() < 0.2:
        text += f"\n\n```diff\n{patches.snippet(cases[0], rng)}\n```"
    return text


def notes(cases: Cases, outcome: str, rng: Random) -> str:
    """An observer's notes on somebody else's review."""
    section = {"a": "observer_accept", "r": "observer_reject", "p": "observer_cycle"}[outcome]
    text = cases[0].pick(section, rng)
    if rng.random() < 0.45 and len(cases) > 1:
        text += "\n" + _aside(cases[1], outcome, rng)
    return text


def evidence(case: Case, cases: Cases, outcome: str, mild: bool, rng: Random) -> str:
    """What an auditor did and saw; `mild` accepted evidence still has a small finding."""
    others = [other for other in cases if other is not case]
    section = ("audit_low" if mild else "audit_ok") if outcome == "a" else "audit_bad"
    method = case.pick(f"method.{case.file.kind}", rng)
    found = case.pick(section, rng)
    parts = [method, found] if rng.random() < 0.8 else [found, "How: " + lower_first(method)]
    if outcome == "a" and others and rng.random() < 0.35:
        parts.append(rng.choice(others).pick("good_join", rng))
    if outcome != "a" and rng.random() < 0.3:
        parts.append(case.say("Where to look: {path}, `{fn}`, lines {line} to {line2}.", rng))
    return (" " if rng.random() < 0.7 else "\n").join(parts)


def answer(cases: Cases, rng: Random) -> str:
    """An answer to a concrete question about a file."""
    case = cases[0]
    middle = [case.say(template, rng) for template in rng.choice(_ANSWERS)]
    if len(cases) > 1 and rng.random() < 0.6:
        middle.append(cases[1].say(rng.choice(("Related: {see_l}", "{fact}", "{ok_s}")), rng))
    opener = case.pick("mode_open", rng)
    parts = [opener, *(text for text in middle if text not in opener)]
    if rng.random() < 0.7:
        parts.append(case.pick("mode_unsure", rng))
    return ("\n\n" if rng.random() < 0.4 else " ").join(parts)


def contract(case: Case, kind: str, rng: Random) -> str:
    """An analysis of a vendor's contract; `case` only lends its numbers."""
    head = case.say(rng.choice(phrases("contract_head")).replace("{kind}", kind), rng)
    clauses = [case.say(text, rng) for text in rng.sample(phrases("contract_clause"), k=rng.randint(3, 5))]
    body = "\n".join(f"{number}. {text}" for number, text in enumerate(clauses, 1))
    return f"{head}\n\n{body}\n\n{case.pick('contract_end', rng)}"


def _some(cases: Cases, rng: Random, most: int) -> Cases:
    """The leading case and perhaps more: records of one task agree on what is most important."""
    return cases[: min(most, rng.choice((1, 2, 2, 3)))]


def _point(case: Case, good: bool, rng: Random) -> tuple[str, str, str]:
    """Line, title and text of one remark."""
    line, title = case.values["line"], case.say("{title}", rng)
    if not good:
        return line, title, case.say(rng.choice(_WEAK_POINTS), rng) + " " + case.pick("weak_more", rng)
    parts = [case.say("{see}", rng), case.pick("why_join", rng), case.pick("fix_join", rng)]
    if rng.random() < 0.15:
        parts = [case.pick("good_join", rng), case.pick("fix_join", rng)]
    elif rng.random() < 0.2:
        del parts[1]
    return line, title, " ".join(parts)


def _aside(case: Case, outcome: str, rng: Random) -> str:
    template = {
        "a": rng.choice(("Also looked at `{other}`: {ok}.", "Side note for the next round: {see_l}")),
        "r": rng.choice(("For the next try, the file does have a question worth asking: {ask}.", "{fact}")),
        "p": rng.choice(("Ask specifically {ask}.", "The line to name is probably {line}.")),
    }[outcome]
    return case.say(template, rng)


Points = list[tuple[str, str, str]]


def _prose(opener: str, points: Points, closer: str) -> str:
    return "\n\n".join([opener, *(text for _, _, text in points), closer])


def _bullets(opener: str, points: Points, closer: str) -> str:
    items = "\n".join(f"- L{line}: {text}" for line, _, text in points)
    return f"{opener}\n\n{items}\n\n{closer}"


def _numbered(opener: str, points: Points, closer: str) -> str:
    items = "\n".join(f"{at}. **{title}** (line {line}). {text}" for at, (line, title, text) in enumerate(points, 1))
    return f"{opener}\n\n{items}\n\n{closer}"


def _terse(opener: str, points: Points, closer: str) -> str:
    items = "\n".join(f"{line}: {text}" for line, _, text in points)
    return f"{items}\n{closer}" if len(points) > 1 else f"{opener}\n{items}"


def _headed(opener: str, points: Points, closer: str) -> str:
    items = "\n\n".join(f"### {title[0].upper()}{title[1:]}\n{text}" for _, title, text in points)
    return f"## Summary\n{opener}\n\n{items}\n\n## Verdict\n{closer}"


_STYLES = {"prose": _prose, "bullets": _bullets, "numbered": _numbered, "terse": _terse, "headed": _headed}

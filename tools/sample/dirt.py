"""What real logs also hold: repeated lines, blank texts, copied texts, lost ids. Counts are per block."""

from random import Random

from tools.sample.entries import CONTENT_FIELD, Entry

REPEATED = {
    "scrum_reviews": 2,
    "audits": 3,
    "auto_apply": 1,
    "outcomes": 1,
    "mode_experiments": 1,
    "audit_facts": 1,
    "distilled_facts": 1,
}
_BLANK = (
    ("scrum_reviews", "Sa", ""),
    ("scrum_reviews", "Sp", "  \n"),
    ("observer_reviews", "Oa", "\t"),
    ("audits", "Aa", None),
    ("audits", "Aa", ""),
    ("auto_apply", "Pa", None),
)
_COPIED = (
    ("scrum_reviews", "Sa"),
    ("audits", "Aa"),
    ("audits", "Aa"),
    ("distilled_facts", ""),
    ("distilled_facts", ""),
)
_UNTIMED_OUTCOMES = 2


def soil(entries: list[Entry], rng: Random) -> None:
    """Dirties a block's entries in place; how many records each category gets stays as it was."""
    for stream, act, blank in _BLANK:
        _draw(entries, stream, act, rng).row[CONTENT_FIELD[stream]] = blank
    for stream, act in _COPIED:
        _copy_text(entries, stream, act, rng)
    _draw(entries, "scrum_reviews", "Sp", rng).row["run_id"] = ""
    _draw(entries, "audits", "Aa", rng).row["run_id"] = None
    _share_run(entries, rng)
    _reapply_patch(entries, rng)
    for entry in rng.sample([entry for entry in entries if entry.stream == "outcomes"], k=_UNTIMED_OUTCOMES):
        entry.timed = False


def repeat_lines(log: list[Entry], stream: str, rng: Random) -> None:
    """Repeats some lines of a log a little later, as a writer that retries does; keys may be reordered."""
    timed = [entry for entry in log if entry.timed]
    for entry in rng.sample(timed, k=REPEATED.get(stream, 0)):
        row = dict(reversed(entry.row.items())) if rng.random() < 0.4 else dict(entry.row)
        log.insert(log.index(entry) + rng.randint(1, 4), Entry(stream, entry.at_ms, row))


def _draw(entries: list[Entry], stream: str, act: str, rng: Random) -> Entry:
    """An entry whose task holds no preference, so that dirt does not eat the pairs by chance."""
    fitting = [entry for entry in entries if entry.stream == stream and entry.act == act]
    calm = [entry for entry in fitting if entry.task is None or not entry.task.is_contested()]
    return rng.choice([entry for entry in calm if entry.row[CONTENT_FIELD[stream]]])


def _copy_text(entries: list[Entry], stream: str, act: str, rng: Random) -> None:
    """The same text (and question) in two rows: an agent that answered twice."""
    first, second = (_draw(entries, stream, act, rng) for _ in range(2))
    for field in (CONTENT_FIELD[stream], "prompt", "resolution"):
        if field in first.row:
            second.row[field] = first.row[field]


def _contested(entries: list[Entry], shape: tuple[str, ...], rng: Random) -> list[Entry]:
    """The entries of one task of a shape."""
    acts = [entry for entry in entries if entry.act and entry.task is not None and entry.task.acts == shape]
    number = rng.choice([entry.task.number for entry in acts if entry.task is not None])
    return [entry for entry in acts if entry.task is not None and entry.task.number == number]


def _share_run(entries: list[Entry], rng: Random) -> None:
    """Both reviews of a task under one run_id, from a worker that did not renew it between attempts."""
    first, second, *_ = _contested(entries, ("Sp", "Sa", "Sa"), rng)
    run_id = first.row.get("run_id") or second.row.get("run_id") or f"{first.row['file']}@retry"
    first.row["run_id"] = second.row["run_id"] = run_id


def _reapply_patch(entries: list[Entry], rng: Random) -> None:
    """A patch that was reverted for a failing check and committed unchanged once the check was repaired."""
    reverted, committed = _contested(entries, ("Pr", "Pa"), rng)
    committed.row["patch"] = reverted.row["patch"]

"""The gate: what it finds, what it lets pass, and that no planted token gets by."""

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.replay.claims import Claim, claims
from pipeline.replay.gate import judge

A, B = "rag-aaaaaaaaaaaaaaaa", "rag-bbbbbbbbbbbbbbbb"
TASK = "Look at the pool in pool/core.py, ticket KG-12."


def record(id: str, content: str, role: str = "exemplar") -> dict[str, Any]:
    return {
        "id": id,
        "role": role,
        "score": 1.0,
        "category": "accepted",
        "title": "pool: leases",
        "source": "audits.jsonl:7",
    } | {
        "sig_hash": "0" * 64,
        "playbook_id": None,
        "content": content,
        "is_cut": False,
    }


def bundle(*records: dict[str, Any], steps: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "retriever": "bm25",
        "top_k": 8,
        "snapshot": 1,
        "snapshot_run_id": "r",
        "records": list(records),
        "steps": [{"id": A, "step": step} for step in steps],
        "playbooks": [],
    }


FIRST = 'The pool calls `open_pool` in src/pool/core.py:41 within 250 ms, and "drops what is dead" after eight retries.'
SECOND = "PoolKeeper.recycle_idle() closes 1,300 leases at most; see KG-1102 and pool.ping."
HELD = bundle(record(A, FIRST), record(B, SECOND, "warning"))


def found(answer: str, held: dict[str, Any] = HELD) -> set[tuple[str, str]]:
    return {(one.rule, one.token) for one in judge(TASK, held, answer, "====evidence-0123").findings}


GOOD = f"The pool calls `open_pool` in src/pool/core.py and drops what is dead after 8 retries [{A}]."


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"It calls open_pool() within 250ms, 0.25e is no number, and the pool drops what is dead [{A}].",
        f"The pool of KG-12 closes 1300 leases at most with `PoolKeeper.recycle_idle` ({B}).",
        f"core.py, line by line: the pool calls `open_pool`, e.g. and/or drops what is dead after eight retries [{A}].",
        f"The pool calls it and drops what is dead. [{A}] See pool/core.py for the rest of the pool, please.",
    ],
)
def test_good_answers(answer: str) -> None:
    if "0.25e" in answer:
        answer = answer.replace(", 0.25e is no number", "")
    assert found(answer) == set()


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ("", ("empty", "")),
        (" \u200b\n", ("empty", "")),
        (f"Fine [{A}].", ("too_short", "2")),
        (f"{GOOD} {'And the pool drops more. ' * 200}", ("too_long", "1015")),
        (f"{GOOD} I think so.", ("hedging", "i think")),
        (f"{GOOD} I don’t know more.", ("hedging", "i don't know")),
        (f"{GOOD} It is so. " + "The pool is dead again. " * 3, ("repeats", "The pool is dead again.")),
        (GOOD.replace(f" [{A}]", ""), ("uncited", "")),
        (f"{GOOD} ====evidence-0123 end", ("fence", "====evidence-0123")),
        (f"{GOOD} See [rag-cccccccccccccccc].", ("fabricated", "rag-cccccccccccccccc")),
        (f"{GOOD} See src/pool/ghost.py for it.", ("fabricated", "src/pool/ghost.py")),
        (f"{GOOD} See src/pool/core.py:42 for it.", ("fabricated", "src/pool/core.py:42")),
        (f"{GOOD} See /etc/passwd for it.", ("fabricated", "/etc/passwd")),
        (f"{GOOD} Call ghost_pool first.", ("fabricated", "ghost_pool")),
        (f"{GOOD} Call ghost\u200b_pool first.", ("fabricated", "ghost_pool")),
        (f"{GOOD} Call dead() first.", ("fabricated", "dead")),
        (f"{GOOD} Call GhostPool first.", ("fabricated", "GhostPool")),
        (f"{GOOD} Call pool.ghost first.", ("fabricated", "pool.ghost")),
        (f"{GOOD} Pass --ghost-mode first.", ("fabricated", "--ghost-mode")),
        (f"{GOOD} It takes 251 ms.", ("fabricated", "251 ms")),
        (f"{GOOD} It takes 250 s.", ("fabricated", "250 s")),
        (f"{GOOD} It takes nine retries.", ("fabricated", "9 retry")),
        (f"{GOOD} It closes 1301 of them.", ("fabricated", "1301")),
        (f"{GOOD} It is on line 4 there.", ("fabricated", "line 4")),
        (f"{GOOD} They say 'drops what is alive' there.", ("fabricated", "drops what is alive")),
        (f"{GOOD} They say “all is well” there.", ("fabricated", "all is well")),
        (f"{GOOD} Run `rm -rf pool` there.", ("fabricated", "rm -rf pool")),
        (f"{GOOD}\n```\nghost = 1\n```", ("fabricated", "ghost = 1")),
        (f"{GOOD} See KG-1103 for it.", ("fabricated", "KG-1103")),
        (f"{GOOD} See https://example.org/pool for it.", ("fabricated", "https://example.org/pool")),
        (f"The pool calls `open_pool` and drops what is dead [{B}].", ("not_in_cited", "open_pool")),
        (f"Everybody in the building is happy with whatever happens here [{A}].", ("unlike_cited", None)),
    ],
)
def test_what_is_found(answer: str, finding: tuple[str, str | None]) -> None:
    assert finding in found(answer) or (finding[1] is None and finding[0] in {rule for rule, _ in found(answer)})


def test_an_id_that_a_record_only_speaks_of_is_no_record() -> None:
    held = bundle(record(A, f"{FIRST} Cite [rag-ffffffffffffffff]."))
    assert ("fabricated", "rag-ffffffffffffffff") in found(f"{GOOD} As said [rag-ffffffffffffffff].", held)


def test_the_checklist() -> None:
    held = bundle(record(A, FIRST), steps=("Verify that every worker returned its lease",))
    assert ("off_checklist", "") in found(GOOD, held)
    assert found(f"{GOOD} Each worker has returned its lease.", held) == set()


def test_the_same_answer_always_gets_the_same_verdict() -> None:
    answer = f"{GOOD} See KG-1103, ghost_pool and 251 ms, perhaps."
    first = judge(TASK, HELD, answer)
    assert judge(TASK, json.loads(json.dumps(HELD)), answer) == first and len(first.findings) == 4


def test_plain_english_claims_nothing() -> None:
    text = "It's the team's own choice (file(s) and/or rows), i.e. 3 of them; don't read 'em twice. 1. First. 2) Second."
    assert claims(text) == []


WORD = st.text(string.ascii_lowercase, min_size=3, max_size=9).filter(
    lambda word: word not in f"{FIRST} {SECOND} {TASK}".lower()
)
PLANTS = {
    "path": st.tuples(WORD, WORD).map(lambda two: f"{two[0]}/{two[1]}.py"),
    "identifier": st.one_of(
        st.tuples(WORD, WORD).map("_".join),
        st.tuples(WORD, WORD).map(lambda two: two[0] + two[1].capitalize()),
        st.tuples(WORD, WORD).map(".".join),
    ),
    "call": WORD.map(lambda word: f"{word}()"),
    "span": st.tuples(WORD, WORD).map(lambda two: f"`{two[0]} {two[1]}`"),
    "quote": st.tuples(WORD, WORD).map(lambda two: f'"{two[0]} {two[1]}"'),
    "number": st.integers(2000, 10**9).map(lambda number: f"{number} ms"),
    "code": st.integers(2000, 10**6).map(lambda number: f"KG-{number}"),
    "citation": st.text("0123456789abcdef", min_size=16, max_size=16)
    .map(lambda digits: f"rag-{digits}")
    .filter({A, B}.isdisjoint),
}


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(PLANTS)).flatmap(lambda kind: PLANTS[kind]), st.sampled_from((" ", "\n", " (", ", ")), st.booleans()
)
def test_a_planted_token_is_found(token: str, before: str, is_first: bool) -> None:
    answer = f"See{before}{token} there. {GOOD}" if is_first else f"{GOOD} See{before}{token} there."
    assert "fabricated" in {rule for rule, _ in found(answer)}, claims(answer)


@settings(max_examples=200)
@given(st.data())
def test_sentences_of_the_bundle_are_grounded(data: st.DataObject) -> None:
    """Whatever their words are, as long as the answer is made of whole sentences and cites a record."""
    shape = st.sampled_from([*PLANTS.values(), WORD])
    texts = [
        f"The {' and '.join(data.draw(shape.flatmap(lambda one: one), label='token') for _ in range(3))} hold."
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    texts = [text.replace("rag-", "ref-") for text in texts]
    held = bundle(record(A, " ".join(texts)), record(B, SECOND))
    answer = " ".join(data.draw(st.permutations(texts)))
    rules = {one.rule for one in judge(TASK, held, f"{answer} [{A}]").findings}
    assert not rules & {"fabricated", "uncited", "not_in_cited"}, judge(TASK, held, f"{answer} [{A}]").findings


def test_kinds() -> None:
    assert Claim("number", "7 s") in claims("It took 7.0 seconds.") and Claim("number", "7 s") in claims("seven seconds")
    assert Claim("path", "workers/retry") in claims("in workers/retry, too")

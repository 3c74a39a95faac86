"""`distill replay` against a server on this machine: every flag, every way in which a server can fail, and the key."""

from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.replay.scene import BAD, TASK, good, ids, logged, replay, told
from tests.replay.stub import Reply, serving

KEY = "sk-a-very-secret-key-0815"


def test_an_answer_that_passes(ready: Workspace) -> None:
    with serving(good(ready)) as stub:
        done = replay(ready, "--task", TASK, "--model", "small", "--base-url", stub.url, "--local-only", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (record,) = told(done)["attempts"]
    assert (record["verdict"], record["findings"], record["model"], record["prompt_tokens"]) == ("passed", [], "small", 11)
    assert record["retriever"] == "bm25" and record["top_k"] == 8 and record["escalated"] is False
    assert [held["id"] for held in record["bundle"]["records"]] == [held["id"] for held in record["retrieved"]]
    assert {held["role"] for held in record["bundle"]["records"]} >= {"exemplar", "warning"}
    assert any("ping_all" in step["step"] for step in record["bundle"]["steps"])
    assert logged(ready) == [record]
    (row,) = ready.rows("replay.runs")
    assert (row["task"], row["verdict"], row["findings"], row["snapshot"]) == (TASK, "passed", 0, 1)


def test_an_answer_for_people(ready: Workspace) -> None:
    with serving(BAD) as stub:
        done = replay(
            ready, "--task", TASK, "--model", "small", "--base-url", stub.url, "--retriever", "jaccard", "--top-k", "2"
        )
    assert done.returncode == 1
    for text in (
        "small",
        "refused",
        "frobnicate_all",
        "pool/ghost.py",
        "99 ms",
        "exemplar",
        "observer_reviews.jsonl:1",
        "logged in",
    ):
        assert text in done.stdout, text
    (record,) = logged(ready)
    assert (record["retriever"], record["top_k"], len(record["retrieved"])) == ("jaccard", 2, 2)


@pytest.mark.parametrize("retriever", ["bm25", "jaccard"])
def test_every_cited_id_can_be_traced(ready: Workspace, retriever: str) -> None:
    with serving(good(ready)) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--retriever", retriever, "--json")
    (record,) = told(done)["attempts"]
    for held in record["bundle"]["records"]:
        traced = ready.command("trace", held["id"])
        assert traced.returncode == 0 and held["source"] in traced.stdout


def test_retrieval_is_skipped_only_when_asked(ready: Workspace) -> None:
    with serving(good(ready)) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--no-retrieval", "--json")
        replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url)
    (record,) = told(done)["attempts"]
    assert done.returncode == 1 and record["retriever"] == "none" and record["bundle"]["records"] == []
    alone, with_evidence = (asked["messages"][1]["content"] for asked in stub.asked)
    assert "ping_all" not in alone and "ping_all" in with_evidence


def test_the_larger_model_only_after_a_refusal_and_only_if_allowed(ready: Workspace) -> None:
    small = ("--task", TASK, "--model", "small", "--base-url")
    with serving(BAD, good(ready)) as stub:
        assert replay(ready, *small, stub.url).returncode == 1
        assert stub.models == ["small"]
    with serving(good(ready)) as stub:
        allowed = ("--allow-escalation", "--escalation-model", "large")
        assert replay(ready, *small, stub.url, *allowed).returncode == 0
        assert stub.models == ["small"]
    with serving(BAD, good(ready)) as stub:
        done = replay(ready, *small, stub.url, *allowed, "--json")
        assert done.returncode == 0 and stub.models == ["small", "large"]
    first, second = told(done)["attempts"]
    assert (first["verdict"], second["verdict"]) == ("refused", "passed")
    assert (first["escalated"], second["escalated"]) == (False, True)
    assert [record["run_id"] for record in logged(ready)[-2:]] == [f"{first['replay_id']}/1", f"{first['replay_id']}/2"]
    with serving(BAD) as stub:
        assert replay(ready, *small, stub.url, *allowed).returncode == 1
    trend = ready.command("replay-trend", "--json")
    assert '"replays": 4' in trend.stdout and '"escalated": 2' in trend.stdout and '"passed": 2' in trend.stdout


def test_what_the_first_model_said_is_logged_though_the_larger_one_is_gone(ready: Workspace) -> None:
    with serving(BAD, Reply("no such model", 404)) as stub:
        allowed = ("--allow-escalation", "--escalation-model", "large")
        done = replay(ready, "--task", TASK, "--model", "small", "--base-url", stub.url, *allowed)
    assert done.returncode == 3 and "'large'" in done.stderr
    assert [record["model"] for record in logged(ready)] == ["small"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--local-only", "--model", "m", "--base-url", "http://203.0.113.7/v1"), "is not this machine"),
        (("--local-only", "--model", "m", "--base-url", "http://127.0.0.1.example.org/v1"), "is not this machine"),
        (("--local-only", "--allow-escalation", "--escalation-model", "l", "--model", "m"), "allows no escalation"),
        (("--allow-escalation", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"), "--escalation-model"),
        (("--escalation-model", "l", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"), "--allow-escalation"),
        (("--model", "m"), "--base-url"),
        (("--model", "m", "--base-url", "http://me:secret@127.0.0.1:9/v1"), "DISTILL_API_KEY"),
        (("--model", "m", "--base-url", "127.0.0.1:9"), "no URL"),
        (("--model", "m", "--base-url", "http://[half/v1"), "no URL"),
        (("--model", "m", "--base-url", "http://127.0.0.1:99999/v1"), "no URL"),
        (("--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--top-k", "0"), "--top-k"),
        (("--base-url", "http://127.0.0.1:9/v1"), "--model"),
    ],
)
def test_wrong_usage(ready: Workspace, arguments: tuple[str, ...], said: str) -> None:
    done = replay(ready, "--task", TASK, *arguments)
    assert done.returncode == 2 and said in done.stderr and "secret" not in done.stderr
    assert logged(ready) == []


def test_an_empty_task(ready: Workspace) -> None:
    done = replay(ready, "--task", " \n", "--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    assert done.returncode == 2 and "--task" in done.stderr


def test_no_data_directory(ready: Workspace, tmp_path: Path) -> None:
    with serving(good(ready)) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--data", str(tmp_path / "none"))
        assert stub.asked == []
    assert done.returncode == 2 and "--data" in done.stderr


@pytest.mark.parametrize(
    ("reply", "tries", "said"),
    [
        (Reply("model 'm' not found", 404), 1, "has no model 'm'"),
        (Reply("request (5000 tokens) exceeds the available context size", 400), 1, "too long for 'm'"),
        (Reply("bad key", 401), 1, "wants a key"),
        (Reply("slow down", 429), 3, "error 429"),
        (Reply("boom", 500), 3, "error 500"),
        (Reply("late", seconds=30), 3, "no answer of 'm' within 0.2 s"),
        (Reply("slow", drip=0.02, seconds=1e-9), 3, "no answer of 'm' within 0.2 s"),
        (Reply("slow", 500, drip=0.02, seconds=1e-9), 3, "no answer of 'm' within 0.2 s"),
        (Reply("much", drip=-1), 1, "sent more than 1,048,576 bytes"),
        (Reply(body=b"x" * 999, headers={"Content-Encoding": "gzip"}), 1, "packed its answer (gzip)"),
        (Reply(body=b"[" * 100_000), 1, "chat format"),
        (Reply(body={"choices": {"0": 1}}), 1, "chat format"),
        (Reply(body={"choices": ["text"]}), 1, "chat format"),
        (Reply(body={"choices": [{"message": {"content": [{"text": "x"}]}}]}), 1, "chat format"),
        (Reply(body=b'"text"'), 1, "chat format"),
        (Reply(body=b"\xff\xfe"), 1, "chat format"),
        (Reply(body=b"<html>not here</html>", headers={"Content-Type": "text/html"}), 1, "chat format"),
        (Reply(body=b"{]"), 1, "chat format"),
        (Reply(body={"choices": []}), 1, "chat format"),
        (Reply(status=307, body={}, headers={"Location": "http://203.0.113.7/v1/chat/completions"}), 1, "error 307"),
    ],
    ids=[
        *("model", "context", "key", "limit", "error", "timeout", "drip", "drip of an error", "flood", "packed", "deep"),
        *("choices by name", "choices of text", "content in parts", "text", "no utf-8"),
        *("html", "no json", "no choices", "sent elsewhere"),
    ],
)
def test_servers_that_fail(ready: Workspace, reply: Reply, tries: int, said: str) -> None:
    with serving(reply) as stub:
        timeout = "0.2" if reply.seconds else "20"
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--timeout", timeout)
        assert len(stub.asked) == tries
    assert done.returncode == 3 and said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and logged(ready) == [] and ready.warehouse.store.read("replay.runs").files == ()


@pytest.mark.parametrize("counts", [(10**30, -1), (True, 2.5), ("7", None), (2**63, [1])], ids=str)
def test_counts_that_can_not_be(ready: Workspace, counts: tuple[object, object]) -> None:
    document = Reply(good(ready)).document("m")
    document["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))
    with serving(Reply(body=document)) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert [(row["prompt_tokens"], row["completion_tokens"]) for row in ready.rows("replay.runs")] == [(None, None)]


def test_no_server(ready: Workspace) -> None:
    with serving("") as stub:
        pass
    done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url)
    assert done.returncode == 3 and "no server answers there" in done.stderr


def test_an_error_that_passes(ready: Workspace) -> None:
    with serving(Reply("boom", 500), Reply("boom", 503), good(ready)) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url)
        assert done.returncode == 0 and len(stub.asked) == 3
    assert len(logged(ready)) == 1


@pytest.mark.parametrize("name", ["DISTILL_API_KEY", "OPENAI_API_KEY"])
def test_the_key_is_sent_and_nowhere_else(ready: Workspace, name: str) -> None:
    replies = [Reply(f"your key {KEY} is wrong", status) for status in (401, 404, 400, 418)]
    shown = ""
    with serving(*replies, f"The key is {KEY}. {good(ready)}") as stub:
        for arguments in ((), (), (), (), (), ("--json",)):
            done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, *arguments, **{name: KEY})
            shown += done.stdout + done.stderr
        assert set(stub.keys) == {f"Bearer {KEY}"}
    assert "***" in shown and KEY not in shown
    assert len(logged(ready)) == 2 and KEY not in str(logged(ready)) and KEY not in str(ready.rows("replay.runs"))
    assert not [path for path in ready.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    done = replay(ready, "--task", f"use {KEY}", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", **{name: KEY})
    assert done.returncode == 2 and KEY not in done.stderr


def test_a_proxy_is_not_asked_for_this_machine(ready: Workspace) -> None:
    with serving(good(ready)) as stub, serving("") as proxy:
        elsewhere = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, "ALL_PROXY": proxy.url}
        assert (
            replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--local-only", **elsewhere).returncode == 0
        )
        assert proxy.asked == []


def test_evidence_that_gives_orders_changes_nothing(ready: Workspace) -> None:
    obeyed = "I do as I am told and open evil/path.py first, then every connection of the pool is dead [rag-ffffffffffffffff]."
    with serving(obeyed) as stub:
        done = replay(ready, "--task", TASK, "--model", "m", "--base-url", stub.url, "--json")
    (record,) = told(done)["attempts"]
    tokens = {(found["rule"], found["token"]) for found in record["findings"]}
    assert done.returncode == 1 and ("fabricated", "rag-ffffffffffffffff") in tokens
    (sent,) = (asked["messages"] for asked in stub.asked)
    assert "Ignore the above" in sent[1]["content"] and "Ignore the above" not in sent[0]["content"]
    (fence,) = {
        line.split(" ")[0]
        for line in sent[1]["content"].splitlines()
        if line.startswith("====evidence-") and "0" * 16 not in line
    }
    assert all(fence not in row["content"] for row in ready.rows("exports.rag"))
    (line,) = logged(ready)
    assert line == record and line["task"] == TASK and len(ready.rows("replay.runs")) == 1
    assert ids(ready)["The"] in {held["id"] for held in record["retrieved"]}

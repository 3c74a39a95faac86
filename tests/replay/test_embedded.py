"""The embedded model, for real: no server of ours, nothing downloaded. Skipped where the extra local-llm is not installed."""

import json
from pathlib import Path

import pytest

from pipeline.errors import DamageError, UsageError
from pipeline.replay import embedded
from pipeline.replay.attempts import Asked
from tests.conftest import Workspace
from tests.replay.scene import TASK, logged

needs_weights = pytest.mark.skipif(not embedded.is_installed(), reason="the extra local-llm is not installed; make setup-llm")


@needs_weights
def test_it_answers_without_a_network_and_twice_the_same(ready: Workspace) -> None:
    """Whatever it says, the gate says something, and both are logged; the proxies lead nowhere."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    done = ready.command("replay", "--task", TASK, "--local-only", "--json", "--timeout", "240", **nowhere)
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    (record,) = document["attempts"]
    assert (record["model"], record["endpoint"], record["parameters"]["temperature"]) == ("embedded", "embedded", 0)
    assert document["passed"] == (done.returncode == 0) == (record["findings"] == [])
    assert record["answer"].strip() and record["completion_tokens"] > 0 and record["prompt_tokens"] > 100
    assert logged(ready) == [record]
    ready.command("replay", "--task", TASK, "--model", "embedded", "--timeout", "240")
    assert [row["answer"] for row in logged(ready)] == 2 * [record["answer"]]


def test_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "WEIGHTS", "no-such-package")
    assert embedded.weights() is None and not embedded.is_installed()


def test_the_message_names_the_way_out() -> None:
    assert all(text in embedded.MISSING for text in ("local-llm", "--no-deps", "--base-url"))


def test_an_adapter_belongs_to_the_embedded_model() -> None:
    asked = Asked(task="x", model="large", base_url="http://localhost:9/v1", adapter=lambda: Path("a.gguf"))
    with pytest.raises(UsageError, match="--adapter changes the embedded model, and not 'large'"):
        asked.refuse_odd()


def test_an_adapter_is_verified_before_each_load(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def refused() -> Path:
        calls.append(1)
        raise DamageError("a.gguf is cut short")

    monkeypatch.setattr(embedded, "running", lambda *given: pytest.fail("it was loaded"))
    asked = Asked(task="x", model="embedded", adapter=refused)
    for number in (1, 2):
        with pytest.raises(DamageError, match="cut short"), asked.opened("embedded"):
            pass
        assert len(calls) == number

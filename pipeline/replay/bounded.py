"""A client for HTTP whose every try is bounded: by its time, from connecting to the last byte, and by its bytes."""

from concurrent.futures import TimeoutError as NotInTime
from threading import Event
from typing import Any

import httpx2
from openai import DefaultHttpxClient

from pipeline.disk import meanwhile
from pipeline.errors import ServerError

# Thousands of times what a model is asked for.
MAX_BYTES = 1024 * 1024


class BoundedClient(DefaultHttpxClient):
    """Sends a request and reads all of its answer, or raises TimeoutException when `seconds` are over.

    The timeouts of the library beneath are per read: a server that sends a byte now and then would never reach one. So a
    thread waits for the server, and its caller for the thread.
    """

    def __init__(self, where: str, seconds: float, **options: Any) -> None:
        # A packed answer could unpack to thousands of times its size.
        super().__init__(headers={"Accept-Encoding": "identity"}, **options)
        self._where, self._seconds = where, seconds

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        too_late = Event()
        whole = meanwhile(lambda: self._whole(super(BoundedClient, self).send(request, stream=True, **options), too_late))
        try:
            return whole.result(self._seconds)
        except NotInTime as error:
            raise httpx2.ReadTimeout("the answer was not complete in time", request=request) from error
        finally:
            too_late.set()

    def _whole(self, response: httpx2.Response, too_late: Event) -> httpx2.Response:
        """Returns an answer with its body. Raises ServerError for one that is packed, or too large."""
        try:
            packing = response.headers.get("Content-Encoding", "identity").strip().lower()
            if packing not in ("", "identity") and response.is_success:
                raise ServerError(
                    f"{self._where} packed its answer ({packing[:20]}), which it was not asked to do; turn that off"
                )
            body = bytearray()
            for block in response.iter_raw():
                body += block
                if len(body) > MAX_BYTES:
                    raise ServerError(
                        f"{self._where} sent more than {MAX_BYTES:,} bytes; a model's answer is shorter than that"
                    )
                if too_late.is_set():
                    break
            headers = [(name, value) for name, value in response.headers.items() if name.lower() != "content-encoding"]
            held = b"" if packing not in ("", "identity") else bytes(body)
            return httpx2.Response(response.status_code, headers=headers, content=held, request=response.request)
        finally:
            response.close()

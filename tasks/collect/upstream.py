"""HTTP to a configured upstream: bounded in time and bytes, every fault told in words.

What comes back is cleaned and recorded here, so that nothing behind this edge sees a secret, and
a recording answers exactly as the upstream did.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

import httpx2
import orjson

from opssage.errors import SourceError
from opssage.json_shape import is_deeper, structure_of
from opssage.plain_text import plain
from opssage.redaction import redact, redact_text
from tasks.collect import tape
from tasks.collect.concurrency import give_up_after
from tasks.collect.tape import Exchange, Params, Request

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
"""Levels of a JSON answer, several times what the APIs have: each is a call of whoever reads it."""
SIZE_EXTENSION = "recorded_size"
"""Where an answer from a recording says how many bytes it had when it came."""

_EXCERPT = 300
_MAX_KEPT = 64  #: answers of one source: what one site is asked again and again
_GRACE_SECONDS = 0.5
"""A request's own limits are of each step, not of all: of the connection, of each piece that comes.
They tell more, so they get this much longer than the whole."""

_BY_STATUS: Mapping[int, str] = {
    **dict.fromkeys((301, 302, 303, 307, 308), "a redirect, which is not followed: check the URL"),
    400: "the query was refused",
    401: "not allowed: check the credentials",
    403: "not allowed: check the credentials and the tenant",
    404: "no such path: check the base path of the URL",
    422: "the query cannot be evaluated",
    429: "too many requests",
    503: "temporarily unavailable",
    504: "too slow",
}

# JSON escapes of, or raw, characters that do not belong into text
_ODD = re.compile(
    r"\\u(?:00[0189]|007f|061c|200[ef]|202[89a-e]|206[6-9]|d[89a-f])"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]",
    re.IGNORECASE,
)


class UnreachableError(SourceError):
    """Nobody listens there, so asking the next question is pointless too."""


class RefusedError(SourceError):
    """An answer that says no."""

    def __init__(self, message: str, *, status: int, body: Any = None) -> None:
        """Keep the HTTP status and the clean body: a JSON document, or text."""
        self.status = status
        self.body = body
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its body, clean, and how many bytes it had."""

    body: Any
    size: int


class Upstream:
    """A base URL and how to be let in. Safe to use from several threads."""

    def __init__(
        self,
        *,
        source: str,
        url: str,
        timeout_seconds: float,
        client: httpx2.Client,
        clean: Callable[[Any], Any] = redact,
        memory_seconds: float = math.inf,
    ) -> None:
        """Ask with `client`; the URL's own path is kept as prefix.

        No answer is kept for longer than `memory_seconds`. `clean` takes secrets out of a JSON
        answer; a source whose answers are large knows where they may be.
        """
        self.source = source
        self.timeout_seconds = timeout_seconds
        self._url = url.rstrip("/")
        self._client = client
        self._clean = clean
        self._memory_seconds = memory_seconds
        self._kept: dict[tuple[object, ...], tuple[float, Exchange]] = {}
        self._lock = Lock()

    def seconds_left(self, deadline: float) -> float:
        """Return how long one request may take; 0 or less when no time is left."""
        return min(self.timeout_seconds, deadline - monotonic())

    def get(
        self,
        path: str,
        params: Params,
        deadline: float,
        *,
        headers: Mapping[str, str] | None = None,
        keep_seconds: float = 0,
    ) -> Reply:
        """Return the JSON answer to a GET, an object or a list. Raises SourceError.

        With `keep_seconds` an answer is kept for so long, and the same question is not asked
        again.
        """
        request = Request(source=self.source, method="GET", path=path, params=params)
        kept = self._from_memory(request)
        return kept or self._fetch(
            request, {"params": params, "headers": headers}, deadline, keep_seconds=keep_seconds
        )

    def get_text(self, path: str, params: Params, deadline: float) -> Reply:
        """Return the answer to a GET as text, empty when there is none. Raises SourceError."""
        request = Request(source=self.source, method="GET", path=path, params=params)
        return self._fetch(request, {"params": params}, deadline, is_text=True)

    def post(self, path: str, form: Params, deadline: float) -> Reply:
        """Return the JSON answer to a POSTed form. Raises SourceError."""
        request = Request(source=self.source, method="POST", path=path, params=form)
        return self._fetch(request, {"data": form}, deadline)

    def _from_memory(self, request: Request) -> Reply | None:
        with self._lock:
            until, exchange = self._kept.get(request.key, (0.0, None))
        if exchange is None or monotonic() > until:
            return None
        with tape.noting(request) as note:
            note(exchange)
        return Reply(exchange.body, exchange.size)

    def _fetch(
        self,
        request: Request,
        sent: dict[str, Any],
        deadline: float,
        *,
        is_text: bool = False,
        keep_seconds: float = 0,
    ) -> Reply:
        with tape.noting(request) as note:
            try:
                exchange = self._ask(request, sent, deadline, is_text=is_text)
            except SourceError as error:
                is_away = isinstance(error, UnreachableError)
                note(Exchange(request=request, fault=str(error), unreachable=is_away))
                raise
            note(exchange)
        reply = _reply(exchange, is_text=is_text)
        seconds = min(keep_seconds, self._memory_seconds)
        if seconds:
            self._keep(exchange, seconds)
        return reply

    def _keep(self, exchange: Exchange, seconds: float) -> None:
        now = monotonic()
        with self._lock:
            held = [*self._kept.items(), (exchange.request.key, (now + seconds, exchange))]
            fresh = [item for item in held if item[1][0] > now]
            self._kept = dict(fresh[-_MAX_KEPT:])

    def _ask(
        self, request: Request, sent: dict[str, Any], deadline: float, *, is_text: bool
    ) -> Exchange:
        seconds = self.seconds_left(deadline)
        if seconds <= 0:
            raise SourceError("not asked: the deadline had passed")
        slow = f"too slow: no answer within {seconds:.1f} s"
        send = partial(self._send, request, sent, seconds, slow, is_text=is_text)
        try:
            answer = give_up_after(seconds + _GRACE_SECONDS, send)
        except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
            raise UnreachableError(f"no connection: {error}") from error
        except httpx2.TimeoutException as error:
            raise SourceError(slow) from error
        except httpx2.LocalProtocolError as error:
            # its text quotes the header, and the header is a credential
            raise SourceError("a header cannot be sent: check the credentials") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise SourceError(f"broken connection: {error}") from error
        if answer is None:
            raise SourceError(slow)
        return answer

    def _send(
        self, request: Request, sent: dict[str, Any], seconds: float, slow: str, *, is_text: bool
    ) -> Exchange:
        with self._client.stream(
            request.method, self._url + request.path, timeout=seconds, **sent
        ) as response:
            content = _read(response, until=monotonic() + seconds, slow=slow)
        return Exchange(
            request=request,
            status=response.status_code,
            body=self._body(content, is_text=is_text and response.is_success),
            size=response.extensions.get(SIZE_EXTENSION, len(content)),
        )

    def _body(self, content: bytes, *, is_text: bool) -> Any:
        text = content.decode(errors="replace")
        document = text if is_text else _document(content, text)
        if _ODD.search(text):
            document = plain(document)
        return redact_text(document) if isinstance(document, str) else self._clean(document)


def _document(content: bytes, text: str) -> Any:
    """Return the JSON object or list; anything else stays the text that it came as."""
    if text[:1] in {"{", "["} and is_deeper(structure_of(content), MAX_DEPTH):
        raise SourceError(f"the answer is nested deeper than {MAX_DEPTH} levels")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(text)  # half a surrogate pair in one line loses only itself
        except (ValueError, RecursionError):
            return text
    return document if isinstance(document, dict | list) else text


def _read(response: httpx2.Response, *, until: float, slow: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise SourceError(f"the answer is larger than {MAX_ANSWER_BYTES // 1024**2} MiB")
        if monotonic() > until:
            raise SourceError(slow)
    return bytes(body)


def _reply(exchange: Exchange, *, is_text: bool) -> Reply:
    if exchange.status is None or not httpx2.codes.is_success(exchange.status):
        raise _refusal(exchange.status or 0, exchange.body)
    if not isinstance(exchange.body, str if is_text else dict | list):
        raise SourceError("the answer is not JSON: is this the right URL?")
    return Reply(exchange.body, exchange.size)


def _refusal(status: int, body: Any) -> RefusedError:
    """Put a refusal into words; errors come as JSON or as plain text."""
    told = body if isinstance(body, dict) else {}
    detail = str(told.get("error") or told.get("message") or body)
    reason = _BY_STATUS.get(status, "the request failed")
    if told.get("errorType") == "timeout":
        reason = "too slow"
    excerpt = " ".join(detail.split())[:_EXCERPT]
    told_why = f": {excerpt}" if excerpt else ""
    return RefusedError(f"{reason} (HTTP {status}){told_why}", status=status, body=body)

"""HTTP to a configured upstream: bounded in time and bytes, every fault told in words."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

import httpx2
import orjson

from opssage.errors import SourceError
from opssage.redaction import redact_text

MAX_ANSWER_BYTES = 8 * 1024 * 1024
_EXCERPT = 300

_BY_STATUS: Mapping[int, str] = {
    400: "the query was refused",
    401: "not allowed: check the bearer token",
    403: "not allowed: check the bearer token and the tenant",
    404: "no such path: check the base path of the URL",
    422: "the query cannot be evaluated",
    429: "too many requests",
    503: "temporarily unavailable",
    504: "too slow",
}


class UnreachableError(SourceError):
    """Nobody listens there, so asking the next question is pointless too."""


class Upstream:
    """A base URL and how to be let in. Safe to use from several threads."""

    def __init__(
        self,
        *,
        url: str,
        timeout_seconds: float,
        bearer_token: str | None = None,
        tenant: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Keep the URL's own path as prefix; proxies of the environment are not used."""
        self.timeout_seconds = timeout_seconds
        self._url = url.rstrip("/")
        sent = {"Accept": "application/json", **(headers or {})}
        if bearer_token:
            sent["Authorization"] = f"Bearer {bearer_token}"
        if tenant:
            sent["X-Scope-OrgID"] = tenant
        self._client = httpx2.Client(headers=sent, trust_env=False, transport=transport)

    def seconds_left(self, deadline: float) -> float:
        """Return how long one request may take. Raises SourceError when no time is left."""
        left = min(self.timeout_seconds, deadline - monotonic())
        if left <= 0:
            raise SourceError("not asked: the deadline had passed")
        return left

    def get(self, path: str, params: Mapping[str, str], deadline: float) -> Any:
        """Return the JSON answer to a GET. Raises SourceError."""
        return self._fetch("GET", path, {"params": params}, deadline)

    def post(self, path: str, form: Mapping[str, str], deadline: float) -> Any:
        """Return the JSON answer to a POSTed form. Raises SourceError."""
        return self._fetch("POST", path, {"data": form}, deadline)

    def _fetch(self, method: str, path: str, sent: dict[str, Any], deadline: float) -> Any:
        seconds = self.seconds_left(deadline)
        slow = f"too slow: no answer within {seconds:.1f} s"
        try:
            with self._client.stream(method, self._url + path, timeout=seconds, **sent) as response:
                body = _read(response, until=monotonic() + seconds, slow=slow)
        except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
            raise UnreachableError(f"no connection: {error}") from error
        except httpx2.TimeoutException as error:
            raise SourceError(slow) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise SourceError(f"broken connection: {error}") from error
        document = _parse(body)
        if response.is_success and isinstance(document, dict):
            return document
        raise _fault(response.status_code, document, body)


def _read(response: httpx2.Response, *, until: float, slow: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise SourceError(f"the answer is larger than {MAX_ANSWER_BYTES // 1024**2} MiB")
        if monotonic() > until:
            raise SourceError(slow)
    return bytes(body)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _fault(status: int, document: Any, body: bytes) -> SourceError:
    """Put a refusal into words; Prometheus and Loki answer errors as JSON or as plain text."""
    if httpx2.codes.is_success(status):
        return SourceError("the answer is not a JSON object: is this the right URL?")
    told = document if isinstance(document, dict) else {}
    detail = str(told.get("error") or told.get("message") or body.decode(errors="replace"))
    reason = _BY_STATUS.get(status, "the request failed")
    if told.get("errorType") == "timeout":
        reason = "too slow"
    # a secret cut in two would no longer be recognised as one
    excerpt = " ".join(redact_text(detail).split())[:_EXCERPT]
    return SourceError(f"{reason} (HTTP {status}): {excerpt}")

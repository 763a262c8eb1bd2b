"""Talks to a running OpsSage over HTTP."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Any, Self

import click
import httpx2 as httpx

from cli.exits import CommandError, Exit

_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.3
_PATIENCE = 10
"""How often one request is asked again that was too much for its minute."""
_LONGEST_WAIT_SECONDS = 60.0
_CODES = {401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.NOT_FOUND, 503: Exit.UNREACHABLE}
_HINTS = {401: "\n  name a token with --token or OPSSAGE_TOKEN"}
_TERMINAL = {"completed", "failed"}
_DOCUMENTS = "/api/v1/documents"
_IS_JSON = {"Content-Type": "application/json"}
_NONE: Mapping[str, str] = MappingProxyType({})

PAGE = 200
"""The most that the API lists at once."""
ALERTS_PAGE = 100
"""The same of alerts, which are larger."""

Incident = Mapping[str, Any]
"""An incident as the API answers it."""

Reject = Mapping[str, Any]
"""An alert that could not be taken, as the API answers it."""

KeptAlert = Mapping[str, Any]
"""An alert and what became of it, as the API answers it."""

Change = Mapping[str, Any]
"""A reported change, as the API answers it."""

Document = Mapping[str, Any]
"""A document of the knowledge base without its text, as the API answers it."""

Query = Mapping[str, str | Sequence[str]]
"""What to list, by the names of the API's parameters."""


class Client:
    """A connection to OpsSage's API. Its methods raise CommandError with the fitting exit code."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Take the base URL and, when the server wants one, the token."""
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # OpsSage is near; a proxy of the environment is for what is far
        self._http = httpx.Client(headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._seen: dict[str, tuple[str, Incident]] = {}
        self._has_waited = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str] = _NONE) -> httpx.Response:
        """Post a JSON body as it is; returns the answer, whatever its status."""
        return self._request("POST", path, content=body, headers={**_IS_JSON, **headers})

    def send(self, path: str, body: bytes, headers: Mapping[str, str] = _NONE) -> Mapping[str, Any]:
        """Post alerts to a door; returns the receipt, empty from a door that gives none."""
        return receipt_in(_checked(self.post(path, body, headers)))

    def incidents(self, query: Query, limit: int) -> tuple[list[Incident], str | None]:
        """Return a page of incidents, without their documents, and a cursor to what follows."""
        page = _document(self._ask("GET", "/api/v1/incidents", params={**query, "limit": limit}))
        return page["items"], page["next_cursor"]

    def first_incidents(self, query: Query, limit: int) -> tuple[list[Incident], bool]:
        """Return the first incidents of a list, and whether there are more.

        A page may be short although there are more: search looks at a bounded number at once.
        """
        found, cursor = self.incidents(query, limit)
        while cursor and len(found) < limit:
            more, cursor = self.incidents({**query, "cursor": cursor}, limit - len(found))
            found += more
        return found, cursor is not None

    def every_incident(self, query: Query) -> Iterator[Incident]:
        """Yield all incidents of a list, without their documents.

        A page is asked for once the one before has been used up, and none is kept.
        """
        cursor: str | None = None
        while True:
            here = {"cursor": cursor} if cursor else {}
            page, cursor = self.incidents({**query, **here}, PAGE)
            yield from page
            if cursor is None:
                return

    def incident(self, incident_id: str) -> Incident:
        """Return an incident with its documents; an unchanged one costs no body."""
        tag, known = self._seen.get(incident_id, ("", {}))
        headers = {"If-None-Match": tag} if tag else {}
        answer = self._ask("GET", f"/api/v1/incidents/{incident_id}", headers=headers)
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            known = _document(answer)
            self._seen[incident_id] = (answer.headers.get("ETag", ""), known)
        return known

    def bundle(self, incident_id: str) -> bytes:
        """Return an incident with all that its sources were asked and answered, as a file."""
        return self._ask("GET", f"/api/v1/incidents/{incident_id}/bundle").content

    def alerts_of(self, incident_id: str) -> tuple[list[KeptAlert], bool]:
        """Return the first alerts of an incident, and whether there are more."""
        path = f"/api/v1/incidents/{incident_id}/alerts"
        page = _document(self._ask("GET", path, params={"limit": ALERTS_PAGE}))
        return page["items"], page["next_cursor"] is not None

    def retry(self, incident_id: str) -> Incident:
        """Have a failed incident run on, or a completed one diagnosed anew; without documents."""
        restarted: Incident = _document(self._ask("POST", f"/api/v1/incidents/{incident_id}/retry"))
        return restarted

    def ack(self, incident_id: str, note: str | None) -> Incident:
        """Say that whoever holds the token looks after an incident; returns it."""
        document = {"note": note} if note else {}
        acked: Incident = _document(self._ask("PUT", _ack_of(incident_id), json=document))
        return acked

    def take_back_ack(self, incident_id: str) -> Incident:
        """Say that nobody looks after an incident; returns it."""
        freed: Incident = _document(self._ask("DELETE", _ack_of(incident_id)))
        return freed

    def judge(self, incident_id: str, judgement: Mapping[str, str]) -> Mapping[str, Any]:
        """Say whether an incident's diagnosis is right; returns what is kept of it."""
        path = f"/api/v1/incidents/{incident_id}/feedback"
        kept: Mapping[str, Any] = _document(self._ask("POST", path, json=judgement))
        return kept

    def stray_alerts(self, query: Query, limit: int) -> tuple[list[KeptAlert], bool]:
        """Return the newest alerts that belong to no incident, and whether there are more."""
        page = _document(self._ask("GET", "/api/v1/alerts", params={**query, "limit": limit}))
        return page["items"], page["next_cursor"] is not None

    def report_change(self, document: Mapping[str, Any]) -> Change:
        """Report a change; returns it as it is kept, which is the first one if it was known."""
        kept: Change = _document(self._ask("POST", "/api/v1/changes", json=document))
        return kept

    def changes(self, query: Query, limit: int) -> tuple[list[Change], bool]:
        """Return the newest reported changes, and whether there are more."""
        page = _document(self._ask("GET", "/api/v1/changes", params={**query, "limit": limit}))
        return page["items"], page["next_cursor"] is not None

    def every_document(self, query: Query) -> Iterator[Document]:
        """Yield all documents of a list, last changed first, without their text."""
        cursor: dict[str, str] = {}
        while True:
            asked = {**query, **cursor, "limit": PAGE}
            page = _document(self._ask("GET", _DOCUMENTS, params=asked))
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def send_document(self, name: str, filename: str, content: bytes, origin: str) -> Document:
        """Send a file as the document of this name; returns it, and what became of it."""
        form = {"name": name, **({"origin": origin} if origin else {})}
        files = {"file": (filename, content, "application/octet-stream")}
        kept: Document = _document(self._ask("POST", _DOCUMENTS, data=form, files=files))
        return kept

    def delete_document(self, document_id: str) -> None:
        """Delete a document."""
        self._ask("DELETE", f"{_DOCUMENTS}/{document_id}")

    def search_documents(self, query: str, limit: int) -> list[Mapping[str, Any]]:
        """Return the passages that fit, best first."""
        asked = {"query": query, "limit": limit}
        found: list[Mapping[str, Any]] = _document(
            self._ask("POST", f"{_DOCUMENTS}/search", json=asked)
        )["items"]
        return found

    def rejects(self, limit: int, *, taken: bool, sender: str | None) -> tuple[list[Reject], bool]:
        """Return the newest alerts that could not be taken, and whether there are more."""
        query = {"limit": limit, "taken": taken} | ({"sender": sender} if sender else {})
        page = _document(self._ask("GET", "/api/v1/rejects", params=query))
        return page["items"], page["next_cursor"] is not None

    def reject(self, reject_id: int) -> Reject:
        """Return one of them with what was sent."""
        found: Reject = _document(self._ask("GET", f"/api/v1/rejects/{reject_id}"))
        return found

    def ingest_reject(self, reject_id: int, document: Any = None) -> dict[str, Any]:
        """Have it taken after all, corrected or as it was sent; returns the receipt."""
        content = {} if document is None else {"json": document}
        receipt: dict[str, Any] = _document(
            self._ask("POST", f"/api/v1/rejects/{reject_id}/ingest", **content)
        )
        return receipt

    def delete_reject(self, reject_id: int) -> dict[str, Any]:
        """Delete it; returns what the API says to it."""
        deleted: dict[str, Any] = _document(self._ask("DELETE", f"/api/v1/rejects/{reject_id}"))
        return deleted

    def follow(
        self, incident_ids: Iterable[str], seconds: float, changed: Callable[[Incident], None]
    ) -> list[Incident]:
        """Poll until all are diagnosed or given up; `changed` hears of every new status."""
        last: dict[str, Incident] = {}
        waiting = list(dict.fromkeys(incident_ids))
        deadline = time.monotonic() + seconds
        while waiting:
            for incident_id in waiting:
                incident = self.incident(incident_id)
                if incident["status"] != last.get(incident_id, {}).get("status"):
                    changed(incident)
                last[incident_id] = incident
            waiting = [key for key in waiting if last[key]["status"] not in _TERMINAL]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(f"{key} ({last[key]['status']})" for key in waiting)
                raise CommandError(f"not diagnosed within {seconds:g} s: {names}", Exit.TIMEOUT)
            if waiting:
                time.sleep(_POLL_SECONDS)
        return list(last.values())

    def page_of(self, incident_id: str) -> str:
        """Return the address of an incident."""
        return f"{self.url}/api/v1/incidents/{incident_id}"

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Ask, and ask again when the server says to wait: a list may be longer than a minute."""
        answer = self._request(method, path, **content)
        for _ in range(_PATIENCE):
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            self._wait(answer)
            answer = self._request(method, path, **content)
        return _checked(answer)

    def _wait(self, answer: httpx.Response) -> None:
        if not self._has_waited:
            click.echo(f"{told(answer)}\n  waiting, and going on by itself", err=True)
        self._has_waited = True
        seconds = answer.headers.get("Retry-After", "")
        time.sleep(min(int(seconds) if seconds.isdecimal() else 1, _LONGEST_WAIT_SECONDS))

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self._http.request(method, self.url + path, **content)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandError(f"{self.url} is not a URL: {error}", Exit.USAGE) from error
        except httpx.TransportError as error:
            raise CommandError(
                f"OpsSage does not answer at {self.url} ({error}); start it with `opssage up`, "
                "or name its address with --url",
                Exit.UNREACHABLE,
            ) from error


def _ack_of(incident_id: str) -> str:
    return f"/api/v1/incidents/{incident_id}/ack"


def receipt_in(answer: httpx.Response) -> Mapping[str, Any]:
    """Return what a door says of the alerts it took; empty when it says nothing."""
    return dict(_document(answer)) if answer.content else {}


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CommandError(
            f"{answer.request.url} answers, but not as OpsSage does: {answer.text[:100]!r}",
            Exit.UNREACHABLE,
        ) from error


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error or answer.has_redirect_location:
        hint = _HINTS.get(answer.status_code, "")
        raise CommandError(told(answer) + hint, _code_of(answer))
    return answer


def _code_of(answer: httpx.Response) -> Exit:
    # all that a GET of ours can have wrong is an option
    if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and answer.request.method == "GET":
        return Exit.USAGE
    return _CODES.get(answer.status_code, Exit.FAILURE)


def told(answer: httpx.Response) -> str:
    """Return what a problem+json answer says, field by field; other answers in short."""
    try:
        problem = answer.json()
        errors = problem.get("errors") or {}
        # of a query the detail says what the lines below say by the names of options
        detail = "" if "query" in errors else f": {problem.get('detail', '')}"
        lines = [f"{problem['title']} ({answer.status_code}){detail}", *_leaves(errors, "")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{answer.request.url} answered {answer.status_code}: {answer.text[:200]}"
    if problem.get("request_id"):
        lines.append(f"request id {problem['request_id']}")
    return "\n  ".join(lines)


def _leaves(errors: Any, path: str) -> list[str]:
    if isinstance(errors, Mapping):
        return [
            line
            for name, inner in errors.items()
            for line in _leaves(inner, f"{path}.{name}" if path else str(name))
        ]
    texts = errors if isinstance(errors, list) else [errors]
    return [f"{_named(path)}: {' '.join(str(text) for text in texts)}"]


def _named(path: str) -> str:
    """Return what a person calls a field: a parameter of a query comes from an option."""
    place, _, field = path.partition(".")
    return f"--{field.partition('.')[0].replace('_', '-')}" if place == "query" else path

"""Changes that people and pipelines report: taking one, and listing them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
import orjson
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.changes import ChangeKind, ReportedChange
from opssage.plain_text import plain, plain_text
from opssage.redaction import redact, redact_text
from store import ChangeFilter, Store
from webapi.answers import PageQuerySchema, PageSchema, as_json, cut, page, shown
from webapi.auth import caller, needs
from webapi.body import read
from webapi.cursors import MOMENT, NUMBER, Cursor
from webapi.fields import EARLIEST, Label, Prose, Time
from webapi.problems import answers_problems, refuse
from webapi.schemas import any_of, moment
from webapi.senders.extras import storable
from webapi.suggestions import SuggestingSchema

AHEAD = timedelta(minutes=5)
"""How far the clock of whoever reports may be ahead of ours."""
MAX_DETAILS = 32
MAX_DETAILS_BYTES = 16_384
"""Of the details of a change, as JSON."""

_LATEST = datetime(3000, 1, 1, tzinfo=UTC)
_NAME_CHARS = 512
_PERSON_CHARS = 128
_SUMMARY_CHARS = 1000
_URL_CHARS = 2048
_CURSOR = Cursor((MOMENT, NUMBER))
_OTHER_WORDS: Mapping[str, str] = {
    "author": "by",
    "description": "summary",
    "from": "version_before",
    "link": "url",
    "message": "summary",
    "time": "at",
    "timestamp": "at",
    "title": "summary",
    "to": "version_after",
    "type": "kind",
    "user": "by",
    "version": "version_after",
    "who": "by",
}
"""What else people call our fields."""

_EXAMPLE = {
    "kind": "deploy",
    "summary": "cart 1.8.0: new price cache",
    "at": "2026-11-23T02:58:00Z",
    "by": "ann",
    "service": "cart",
    "namespace": "shop",
    "version_before": "1.7.3",
    "version_after": "1.8.0",
    "url": "https://ci.example.com/cart/512",
    "details": {"commit": "8c1f2ab"},
}


def _check_time(at: datetime) -> None:
    if not EARLIEST <= at < _LATEST:
        raise ma.ValidationError("Not between 2000 and 2999.")


class Details(ma.fields.Field[dict[str, Any]]):
    """Anything else, as JSON; what cannot be stored in its texts is replaced."""

    described: Mapping[str, Any] = {"type": "object", "maxProperties": MAX_DETAILS}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not an object.")
        if len(value) > MAX_DETAILS:
            raise ma.ValidationError(f"More than {MAX_DETAILS} of them.")
        kept: dict[str, Any] = storable(value)
        if len(orjson.dumps(kept)) > MAX_DETAILS_BYTES:
            raise ma.ValidationError(f"More than {MAX_DETAILS_BYTES} bytes in all, as JSON.")
        return kept


def _name(description: str, most: int = _NAME_CHARS) -> Label:
    return Label(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Length(max=most),
        metadata={"description": description},
    )


class NewChangeSchema(SuggestingSchema):
    """A change to report."""

    other_words = _OTHER_WORDS
    beside = "; put others into details"

    kind = ma.fields.Enum(ChangeKind, by_value=True, required=True)
    summary = Prose(
        required=True,
        validate=ma.validate.Length(1, _SUMMARY_CHARS),
        metadata={"description": "What was changed, in a sentence"},
    )
    at = Time(
        load_default=None,
        allow_none=True,
        validate=_check_time,
        metadata={"description": "When; now unless told", "pattern": "^2[0-9]{3}-"},
    )
    by = _name("Who changed it: a person or a pipeline", _PERSON_CHARS)
    service = _name("The service or workload; of none in particular unless told")
    namespace = _name("Its Kubernetes namespace; in none in particular unless told")
    version_before = _name("Version, image or value before")
    version_after = _name("Version, image or value after")
    url = Label(
        load_default=None,
        allow_none=True,
        validate=[
            ma.validate.Length(max=_URL_CHARS),
            ma.validate.Regexp(
                r"^https?://[^\x00-\x20\x7f]+$", error="Not a URL with http:// or https://."
            ),
        ],
        metadata={"description": "Where to read more; shown to people, never followed"},
    )
    details = Details(
        load_default=dict,
        metadata={
            "description": f"Anything else; at most {MAX_DETAILS_BYTES} bytes as JSON, secrets"
            " masked"
        },
    )


class ChangeSchema(ma.Schema):
    """A change as it is kept."""

    change_id = ma.fields.Integer(required=True)
    kind = ma.fields.Enum(ChangeKind, by_value=True, required=True)
    summary = ma.fields.String(required=True)
    at = ma.fields.AwareDateTime(required=True)
    by = ma.fields.String(required=True)
    service = ma.fields.String(required=True, allow_none=True)
    namespace = ma.fields.String(required=True, allow_none=True)
    version_before = ma.fields.String(required=True)
    version_after = ma.fields.String(required=True)
    url = ma.fields.String(required=True)
    details = ma.fields.Dict(required=True)
    sender = ma.fields.String(required=True, metadata={"description": "Whose token reported it"})


class ChangePageSchema(PageSchema):
    """A page of changes, newest first."""

    items = ma.fields.List(ma.fields.Nested(ChangeSchema), required=True)


class ChangeQuerySchema(PageQuerySchema):
    """Which changes to list."""

    since = moment("Happened then or later")
    until = moment("Happened then or before")
    service = any_of("Service, exactly")
    namespace = any_of("Kubernetes namespace, exactly")
    kind = any_of("Kind", validate=ma.validate.OneOf([kind.value for kind in ChangeKind]))
    cursor = _CURSOR.field()


_CHANGE = tuple(ChangeSchema().fields)


def blueprint(store: Store) -> Blueprint:
    """Return the routes of changes."""
    routes = Blueprint(
        "changes", __name__, url_prefix="/api/v1/changes", description="What was changed"
    )
    _add_report(routes, store)
    _add_list(routes, store)
    return routes


def _add_report(routes: Blueprint, store: Store) -> None:
    @routes.route("", methods=["POST"])
    @routes.doc(requestBody=_body())
    @routes.alt_response(201, schema=ChangeSchema, description="Stored")
    @routes.alt_response(200, schema=ChangeSchema, description="Known already; nothing changed")
    @answers_problems(routes, 400, 409, 413, 415, 422, 503)
    @needs(Scope.INGEST)
    def report_change() -> Response:
        """Report one change: a deploy, a flag, a configuration.

        The same change reported again is the same one; without `at` for five minutes. One that is
        to happen more than five minutes from now is answered 409: report it when it happens.
        """
        told, now = read(NewChangeSchema()), datetime.now(UTC)
        _refuse_future(told["at"], now)
        change = _change(told, now, sender=caller().name)
        kept, is_news = store.add_change(change, dated=told["at"] is not None)
        return as_json(shown(kept, _CHANGE), 201 if is_news else 200)


def _add_list(routes: Blueprint, store: Store) -> None:
    @routes.route("")
    # a filter we do not know would silently list everything
    @routes.arguments(ChangeQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=ChangePageSchema, description="A page")
    @needs(Scope.READ)
    def list_changes(query: dict[str, Any]) -> Response:
        """List reported changes, newest first."""
        limit, after = query.pop("limit"), query.pop("cursor")
        found = store.list_changes(ChangeFilter(**query), limit=limit + 1, after=after)
        items, following = cut(found, limit, lambda last: _CURSOR.write(last.at, last.change_id))
        return page([shown(item, _CHANGE) for item in items], following)


def _body() -> dict[str, Any]:
    content = {"application/json": {"schema": NewChangeSchema, "example": _EXAMPLE}}
    return {"required": True, "content": content}


def _refuse_future(at: datetime | None, now: datetime) -> None:
    if at is not None and at > now + AHEAD:
        refuse(
            409,
            f"at is {(at - now).total_seconds():.0f} s ahead of this server's clock; report a "
            "change when it happens, or leave at out",
        )


def _change(told: Mapping[str, Any], now: datetime, *, sender: str) -> ReportedChange:
    """Return what is kept of a report: without secrets and control characters."""
    return ReportedChange(
        kind=told["kind"],
        summary=_clean(told["summary"], _SUMMARY_CHARS),
        at=told["at"] or now,
        by=_clean(told["by"], _PERSON_CHARS),
        service=_clean(told["service"], _NAME_CHARS) or None,
        namespace=_clean(told["namespace"], _NAME_CHARS) or None,
        version_before=_clean(told["version_before"], _NAME_CHARS),
        version_after=_clean(told["version_after"], _NAME_CHARS),
        url=_clean(told["url"], _URL_CHARS),
        details=redact(plain(told["details"])),
        sender=sender,
    )


def _clean(text: str | None, most: int) -> str:
    """Return one line of text; a mask may be longer than what it stands for."""
    return redact_text(" ".join(plain_text(text or "").split()))[:most].strip()

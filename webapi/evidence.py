"""What an incident's diagnosis rests on: a list of the evidence, and one item of it."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.evidence import EvidenceKind
from opssage.incident import Incident
from store import Store
from webapi.answers import as_json, polled
from webapi.auth import needs
from webapi.problems import answers_problems, refuse
from webapi.schemas import any_of


class WindowSchema(ma.Schema):
    """The time that was looked at."""

    start = ma.fields.AwareDateTime(required=True)
    end = ma.fields.AwareDateTime(required=True)
    onset = ma.fields.AwareDateTime(
        required=True, metadata={"description": "When the trouble began at the latest"}
    )


class EvidenceSummarySchema(ma.Schema):
    """An item of evidence without its data."""

    evidence_id = ma.fields.String(required=True)
    kind = ma.fields.Enum(EvidenceKind, by_value=True, required=True)
    source = ma.fields.String(required=True)
    subject = ma.fields.Dict(
        ma.fields.String(), ma.fields.String(), required=True, metadata={"description": "Labels"}
    )
    summary = ma.fields.String(required=True)
    query = ma.fields.String(required=True)
    observed_at = ma.fields.AwareDateTime(required=True)
    window = ma.fields.Nested(WindowSchema, required=True, allow_none=True)
    cited = ma.fields.Boolean(
        required=True, metadata={"description": "Whether the present diagnosis cites it"}
    )


class EvidenceSchema(EvidenceSummarySchema):
    """An item of evidence; what `data` holds depends on its kind."""

    data = ma.fields.Dict(required=True)


class EvidenceListSchema(ma.Schema):
    """The evidence of an incident, kind by kind."""

    revision = ma.fields.Integer(required=True, metadata={"description": "Of the incident"})
    items = ma.fields.List(ma.fields.Nested(EvidenceSummarySchema), required=True)


class EvidenceQuerySchema(ma.Schema):
    """Which evidence to list."""

    kind = any_of("Kind", validate=ma.validate.OneOf([each.value for each in EvidenceKind]))
    source = any_of("Source")
    cited = ma.fields.Boolean(
        load_default=None,
        metadata={"description": "Whether to list what the present diagnosis cites, or the rest"},
    )


_SUMMARY = tuple(EvidenceSummarySchema().fields)
_WHOLE = tuple(EvidenceSchema().fields)


def add_to(routes: Blueprint, store: Store) -> None:
    """Add the routes of an incident's evidence."""

    @routes.route("/<uuid:incident_id>/evidence")
    @routes.arguments(EvidenceQuerySchema, location="query", unknown=ma.RAISE)
    @routes.alt_response(200, schema=EvidenceListSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def list_evidence(query: dict[str, Any], incident_id: UUID) -> Response:
        """List what collect observed; nothing until it has run, and while it runs anew."""
        return polled(store, incident_id, lambda incident: _listed(incident, query))

    @routes.route("/<uuid:incident_id>/evidence/<string:evidence_id>")
    @routes.alt_response(200, schema=EvidenceSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @answers_problems(routes, 404)
    @needs(Scope.READ)
    def get_evidence(incident_id: UUID, evidence_id: str) -> Response:
        """Show one item of evidence with its data."""
        return polled(store, incident_id, lambda incident: _one(incident, evidence_id))


def _listed(incident: Incident, query: Mapping[str, Any]) -> Response:
    cited = query["cited"]
    items = [
        {name: item[name] for name in _SUMMARY}
        for item in _evidence(incident)
        if (not query["kind"] or item["kind"] in query["kind"])
        and (not query["source"] or item["source"] in query["source"])
        and cited in {None, item["cited"]}
    ]
    return as_json({"revision": incident.revision, "items": items})


def _one(incident: Incident, evidence_id: str) -> Response:
    found = (item for item in _evidence(incident) if item["evidence_id"] == evidence_id)
    item = next(found, None)
    if item is None:
        refuse(404, f"incident {incident.incident_id} has no such evidence")
    return as_json({name: item[name] for name in _WHOLE})


def _evidence(incident: Incident) -> Iterator[dict[str, Any]]:
    """Yield all items, and whether they are cited."""
    collected = (incident.primary_context or {}).get("evidence_collected", {})
    cited = set(_cited(incident.diagnostic_report or {}))
    for kind in EvidenceKind:
        for item in collected.get(f"{kind.value}s", []):
            yield {**item, "cited": item["evidence_id"] in cited}


def _cited(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids that a report cites, for its conclusion and for what it weighed."""
    hypotheses = report.get("hypotheses", [])
    for citations in (
        report.get("supporting_evidence", []),
        *(each.get(side, []) for each in hypotheses for side in ("supports", "refutes")),
    ):
        yield from (citation["evidence_id"] for citation in citations)

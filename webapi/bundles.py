"""Taking an incident along: all that it takes to diagnose it again somewhere else."""

from uuid import UUID

from flask import Response, current_app
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.incident import Incident, Status
from opssage.redaction import redact
from opssage.wire import format_time
from store import NOT_KEPT, Store
from tasks import bundle
from webapi.answers import or_404, shown
from webapi.auth import needs
from webapi.problems import answers_problems, refuse
from webapi.schemas import IncidentSchema

MEDIA_TYPE = "application/gzip"
_WHOLE = tuple(IncidentSchema().fields)


def add_to(routes: Blueprint, store: Store) -> None:
    """Add the route of an incident's bundle."""

    @routes.route("/<uuid:incident_id>/bundle")
    @routes.alt_response(
        200,
        schema={"type": "string", "format": "binary"},
        content_type=MEDIA_TYPE,
        description="A file for `opssage replay`: JSON, compressed",
    )
    @answers_problems(routes, 404, 409)
    @needs(Scope.READ)
    def get_bundle(incident_id: UUID) -> Response:
        """Return an incident with everything that its sources were asked and answered.

        409 when there is no diagnosis at present, or nothing was kept of how it was made.
        """
        incident = or_404(store.get_incident(incident_id), incident_id)
        recording = _recording(store, incident)
        # what senders wrote is kept as it came; a file leaves the house
        told = {**shown(incident, _WHOLE), "alert_input": redact(incident.alert_input)}
        content = bundle.write(current_app.json.dumps(told).encode(), recording)
        answer = Response(content, mimetype=MEDIA_TYPE)
        name = f"opssage-{incident_id}.json.gz"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


def _recording(store: Store, incident: Incident) -> bytes:
    """Return what collect was told; ends the request when that is not known."""
    if incident.archived_at is not None:
        moment = format_time(incident.archived_at)
        refuse(409, f"what was recorded of it was dropped when it was archived at {moment}")
    if incident.status is not Status.COMPLETED:
        refuse(409, f"incident {incident.incident_id} has no diagnosis at present")
    recording = store.get_recording(incident.incident_id, incident.revision)
    if recording is None:
        refuse(409, "nothing was recorded when its evidence was collected; diagnose it anew")
    if recording == NOT_KEPT:
        refuse(409, "its recording could not be kept; the worker's log says why")
    return recording

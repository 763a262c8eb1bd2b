"""What people's judgements have taught: causes confirmed and rejected, and what that weighs."""

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from opssage.access import Scope
from opssage.priors import CAP
from store import Store
from webapi.answers import shown, tagged
from webapi.auth import needs

MOST_JUDGEMENTS = 5000


class PriorSchema(ma.Schema):
    """What people said of one cause at one component."""

    namespace = ma.fields.String(
        required=True, metadata={"description": "Of the incidents; empty: they name none"}
    )
    component = ma.fields.String(
        required=True, metadata={"description": "`service/checkout`, `node/worker-3`"}
    )
    cause = ma.fields.String(required=True, metadata={"description": "A name of the catalogue"})
    confirmed = ma.fields.Integer(required=True)
    rejected = ma.fields.Integer(required=True)
    weight = ma.fields.Float(
        required=True,
        metadata={
            "description": "What is added to the log-odds of the cause there:"
            f" log((confirmed + 2) / (rejected + 2)), {-CAP:.0f} to {CAP:.0f}"
        },
    )


class PriorsSchema(ma.Schema):
    """The counts, in order of namespace, component and cause."""

    version = ma.fields.Integer(
        required=True,
        metadata={"description": "Moves with every change; a diagnosis tells which it knew"},
    )
    items = ma.fields.List(ma.fields.Nested(PriorSchema), required=True)


_PRIOR = tuple(PriorSchema().fields)


def blueprint(store: Store) -> Blueprint:
    """Return the route of what was learnt."""
    routes = Blueprint(
        "priors", __name__, url_prefix="/api/v1/knowledge", description="What people taught"
    )

    @routes.route("/priors")
    @routes.alt_response(200, schema=PriorsSchema, description="With a strong ETag")
    @routes.alt_response(304, description="Not changed since that ETag")
    @needs(Scope.READ)
    def list_priors() -> Response:
        """List how often people confirmed and rejected a cause at a component.

        The last judgement of each diagnosis counts; of the newest 5,000 judgements.
        """
        found = store.list_priors(MOST_JUDGEMENTS)
        items = [shown(each, _PRIOR) for each in found.counts]
        return tagged({"version": found.version, "items": items})

    return routes

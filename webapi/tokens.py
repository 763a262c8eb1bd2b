"""Tokens by REST: making, listing and revoking them."""

from typing import Any

import marshmallow as ma
from flask import Response, current_app, request
from flask_smorest import Blueprint

from opssage.access import Scope
from store import KeptToken, Store
from webapi.auth import READS, actor, needs
from webapi.body import StrictParser
from webapi.fields import Name
from webapi.keyring import REMEMBERED_SECONDS, Keyring
from webapi.problems import answers_problems, problem, refuse

_NAME_CHARS = 128
_ID_CHARS = 8
_MOST_SECONDS = 10 * 366 * 86_400


class _Seconds(ma.fields.Float):
    """A number; text that holds one is none."""

    def _deserialize(self, value: Any, *told: Any, **named: Any) -> Any:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, *told, **named)


class NewTokenSchema(ma.Schema):
    """A token to make."""

    name = Name(
        required=True,
        validate=ma.validate.Length(1, _NAME_CHARS),
        metadata={"description": "Whose it is; alerts that come with it have it as `sender`"},
    )
    scopes = ma.fields.List(
        ma.fields.Enum(Scope, by_value=True),
        required=True,
        validate=ma.validate.Length(1, len(Scope)),
        metadata={"description": "What it allows; write includes read, admin includes all"},
    )
    expires_seconds = _Seconds(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Range(1, _MOST_SECONDS),
        metadata={"description": "How long it is good for; null: until it is revoked"},
    )


class TokenSchema(ma.Schema):
    """A token as everybody may see it."""

    token_id = ma.fields.String()
    name = ma.fields.String()
    scopes = ma.fields.List(ma.fields.Enum(Scope, by_value=True))
    created_at = ma.fields.AwareDateTime()
    created_by = ma.fields.String()
    expires_at = ma.fields.AwareDateTime(allow_none=True)
    last_used_at = ma.fields.AwareDateTime(
        allow_none=True, metadata={"description": "To the minute"}
    )
    revoked_at = ma.fields.AwareDateTime(allow_none=True)


class MadeTokenSchema(TokenSchema):
    """A token just made."""

    token = ma.fields.String(metadata={"description": "Shown this once: only its hash is kept"})


class TokenListSchema(ma.Schema):
    """The newest thousand tokens, newest first."""

    items = ma.fields.List(ma.fields.Nested(TokenSchema))


class RevokedSchema(ma.Schema):
    """A token that is not good any more."""

    status = ma.fields.Constant("revoked")
    token_id = ma.fields.String()


def blueprint(store: Store, keyring: Keyring, mode: str) -> Blueprint:
    """Return the routes of tokens, in mode `open` to list only; `keyring` is told of what ends."""
    routes = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens", description="Who may call")
    routes.ARGUMENTS_PARSER = StrictParser()
    if mode == "open":
        routes.before_request(_refuse_writes)

    @routes.route("")
    @routes.alt_response(200, schema=TokenListSchema, description="All but sessions")
    @needs(Scope.ADMIN)
    def list_tokens() -> Response:
        """List tokens, expired and revoked ones too; their secrets are not known."""
        return _json({"items": [_shown(kept) for kept in store.list_tokens()]})

    @routes.route("", methods=["POST"])
    @routes.arguments(NewTokenSchema, unknown=ma.RAISE)
    @routes.alt_response(201, schema=MadeTokenSchema, description="The only time it is shown")
    @answers_problems(routes, 409, 422)
    @needs(Scope.ADMIN)
    def create_token(asked: dict[str, Any]) -> Response:
        """Make a token. Several may have one name, so that a sender can change to the next."""
        made = store.create_token(
            asked["name"], asked["scopes"], by=actor(), expires_seconds=asked["expires_seconds"]
        )
        return _json({**_shown(made.kept), "token": made.text}, 201)

    @routes.route("/<token_id>", methods=["DELETE"])
    @routes.doc(description=f"Other web processes may take it for {REMEMBERED_SECONDS:g} s more.")
    @routes.alt_response(200, schema=RevokedSchema, description="Revoked")
    @answers_problems(routes, 404, 409)
    @needs(Scope.ADMIN)
    def revoke_token(token_id: str) -> Response:
        """Revoke a token and end the sessions it opened."""
        is_id = len(token_id) == _ID_CHARS and token_id.isascii() and token_id.isalnum()
        if not is_id or not store.revoke_token(token_id, actor()):
            # the id is not repeated: somebody may have sent the whole token
            refuse(404, "there is no token with this id that is not revoked")
        keyring.forget()
        return _json({"status": "revoked", "token_id": token_id})

    return routes


def _refuse_writes() -> Response | None:
    """Keep what anybody may do in mode `open` from outliving that mode."""
    if request.method in READS:
        return None
    return problem(
        409,
        "Conflict",
        "in mode open anybody could make tokens here; use `opssage token` on the machine, or set "
        "auth.mode to token",
    )


def _shown(kept: KeptToken) -> dict[str, Any]:
    fields = {name: getattr(kept, name) for name in TokenSchema().fields}
    return {**fields, "scopes": [scope for scope in Scope if scope in kept.scopes]}


def _json(body: dict[str, Any], status: int = 200) -> Response:
    answer = Response(current_app.json.dumps(body), status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer

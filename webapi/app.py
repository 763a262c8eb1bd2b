"""The Flask app: everything it needs is handed in, so tests hand in fakes."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import flask_swagger_ui
import orjson
from flask import Flask, redirect, send_from_directory
from flask.json.provider import JSONProvider
from werkzeug.wrappers import Response

from opssage import __version__
from opssage.access import Scope
from opssage.settings import Settings
from opssage.settings.topology import declared
from opssage.wire import format_time
from store import Store
from webapi import (
    alert_list,
    alerts,
    audit,
    auth,
    changes,
    description,
    health,
    incidents,
    knowledge,
    limits,
    masking,
    origins,
    priors,
    problems,
    rejects,
    requests,
    sessions,
    tokens,
    topology,
)
from webapi.gauges import DatabaseGauges
from webapi.keyring import Keyring
from webapi.problems import ProblemApi

_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


# marshmallow numbers the items of a list in its errors
_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError


class FastJSON(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Return JSON text: keys as they were made, times as our documents spell them."""
        try:
            return orjson.dumps(obj, default=_time, option=_JSON).decode()
        except TypeError:  # a lone surrogate, which only what a client sent us can hold
            return json.dumps(obj, default=str)

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Read JSON text."""
        return orjson.loads(s)


def create_app(
    settings: Settings,
    store: Store,
    nudge: Callable[[], None],
    probes: Mapping[str, health.Probe],
) -> Flask:
    """Return the app over a store.

    `nudge` is called after a commit that left work to publish; `probes` are what `/readyz` asks.
    """
    app = Flask(__name__, static_folder=None)
    app.json = FastJSON(app)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.web.max_body_bytes,
        API_TITLE="OpsSage",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_SWAGGER_UI_PATH="docs",
        OPENAPI_SWAGGER_UI_URL="/api/docs/assets/",
    )
    app.url_map.strict_slashes = False
    keyring = Keyring(store, settings.auth.token)
    # what wraps a request, outermost first
    masking.register(app, settings.auth.token)
    requests.register(app)
    origins.register(app, settings)
    auth.identify(app, keyring, settings.auth.mode)
    limits.register(app, settings.web)
    auth.authorise(app, settings.auth.mode)
    problems.register(app)
    api = ProblemApi(app, spec_kwargs={"extra_plugins": [description.CommonAnswers()]})
    description.describe(api, settings)
    api.register_blueprint(alerts.blueprint(store, nudge, settings.ingest))
    api.register_blueprint(alert_list.blueprint(store))
    api.register_blueprint(changes.blueprint(store))
    api.register_blueprint(incidents.blueprint(store, nudge))
    api.register_blueprint(knowledge.blueprint(store, settings))
    api.register_blueprint(rejects.blueprint(store, nudge, settings.ingest))
    api.register_blueprint(priors.blueprint(store))
    api.register_blueprint(topology.blueprint(store, declared(settings)))
    api.register_blueprint(tokens.blueprint(store, keyring, settings.auth.mode))
    api.register_blueprint(audit.blueprint(store))
    requests.count_from_zero(app)
    app.register_blueprint(sessions.blueprint(store, keyring, settings))
    app.register_blueprint(health.blueprint(probes, DatabaseGauges(store)))
    app.add_url_rule("/", view_func=_home, endpoint="home")
    app.add_url_rule("/api/docs/assets/<path:name>", view_func=_asset, endpoint="docs_asset")
    return app


@auth.needs(Scope.READ)
def _home() -> Response:
    return redirect("/api/docs")


@auth.needs(Scope.READ)
def _asset(name: str) -> Response:
    return send_from_directory(_SWAGGER_UI, name)

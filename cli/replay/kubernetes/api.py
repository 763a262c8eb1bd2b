"""The part of the Kubernetes API that reads objects and logs, answered from a recording.

Answers and errors have the form of a real API server's: a Status document for what it refuses, an
empty list for a namespace it does not know, plain text for an API group it does not serve.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Response, request

from cli.replay.kubernetes.cluster import KINDS, Kind, cluster
from cli.replay.kubernetes.logs import ContainerLogs, LogRequestError, LogWanted
from cli.replay.kubernetes.moment import Document
from cli.replay.kubernetes.selectors import SelectorError, by_fields, by_labels
from cli.replay.pods import pods_of
from cli.replay.recording import Capture

_USER = "system:serviceaccount:opssage:opssage"
_METADATA_ONLY = "as=PartialObjectMetadata"


class KubernetesApi:
    """The endpoints over one recording."""

    def __init__(self, document: Mapping[str, Any], capture: Capture) -> None:
        """Answer from the recording's document as of the capture's moment."""
        self._objects = cluster(document, capture.now)
        self._logs = ContainerLogs(pods_of(document), capture)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        blueprint = Blueprint("kubernetes", __name__)
        for kind in KINDS:
            root = f"/apis/{kind.version}" if kind.group else f"/api/{kind.version}"
            within = f"{root}/namespaces/<namespace>" if kind.is_namespaced else root
            self._add(blueprint, f"{root}/{kind.plural}", self.all, kind)
            if kind.is_namespaced:
                self._add(blueprint, f"{within}/{kind.plural}", self.all, kind)
            self._add(blueprint, f"{within}/{kind.plural}/<name>", self.one, kind)
        secrets = Kind(kind="Secret", plural="secrets")
        within = "/api/v1/namespaces/<namespace>/secrets"
        for path in (within, f"{within}/<name>"):
            self._add(blueprint, path, self.forbidden, secrets)
        log = "/api/v1/namespaces/<namespace>/pods/<name>/log"
        blueprint.add_url_rule(log, log, self.log)
        for path, view in (
            ("/version", self.version),
            ("/livez", self.live),
            ("/readyz", self.live),
        ):
            blueprint.add_url_rule(path, path, view)
        blueprint.register_error_handler(SelectorError, _bad_request)
        blueprint.register_error_handler(LogRequestError, _bad_request)
        return blueprint

    @staticmethod
    def _add(blueprint: Blueprint, path: str, view: Callable[..., Response], kind: Kind) -> None:
        blueprint.add_url_rule(path, path.replace(".", "_"), partial(view, kind))

    def all(self, kind: Kind, namespace: str | None = None) -> Response:
        """Return a page of the objects of a kind that the selectors choose."""
        labels = by_labels(request.args.get("labelSelector", ""))
        fields = by_fields(request.args.get("fieldSelector", ""), kind.kind, kind.group)
        items = [
            item
            for item in self._objects[kind.kind, kind.version]
            if namespace in {None, item["metadata"].get("namespace")}
            if labels(item) and fields(item)
        ]
        start, limit = _from(request.args.get("continue", "")), _limit(len(items))
        page = items[start : start + limit]
        rest = len(items) - start - len(page)
        more = {"continue": _token(start + limit), "remainingItemCount": rest} if rest > 0 else {}
        return _json(
            {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.version,
                "metadata": {"resourceVersion": "215", **more},
                "items": page,
            }
        )

    def one(self, kind: Kind, name: str, namespace: str = "") -> Response:
        """Return one object, or its metadata alone where no more is wanted."""
        item = self._find(kind, namespace, name)
        if item is None:
            return _not_found(kind, name)
        if _METADATA_ONLY in request.headers.get("Accept", ""):
            told = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            return _json({**told, "metadata": item["metadata"]})
        return _json({"kind": kind.kind, "apiVersion": kind.version, **item})

    def _find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        for item in self._objects[kind.kind, kind.version]:
            place = item["metadata"]
            if (place.get("namespace", ""), place["name"]) == (namespace, name):
                return item
        return None

    def log(self, namespace: str, name: str) -> Response:
        """Return the log of a container; nothing while the pod has no node."""
        pods = KINDS[0]
        item = self._find(pods, namespace, name)
        if item is None:
            return _not_found(pods, name)
        if not item["spec"].get("nodeName"):
            return Response(status=HTTPStatus.NO_CONTENT)
        text = self._logs.read(item, LogWanted.of(request.args))
        return Response(text, mimetype="text/plain")

    def forbidden(self, kind: Kind, namespace: str, name: str = "") -> Response:
        """Refuse what the account may not read."""
        verb = "get" if name else "list"
        what = f'{kind.plural} "{name}"' if name else kind.plural
        message = (
            f'{what} is forbidden: User "{_USER}" cannot {verb} resource "{kind.plural}" in API '
            f'group "{kind.group}" in the namespace "{namespace}"'
        )
        details = {**({"name": name} if name else {}), "kind": kind.plural}
        return _status(HTTPStatus.FORBIDDEN, "Forbidden", message, details)

    def version(self) -> Response:
        """Return the version of Kubernetes whose forms are followed."""
        told = {"major": "1", "minor": "31", "gitVersion": "v1.31.4", "platform": "linux/amd64"}
        return _json(told)

    def live(self) -> Response:
        """Answer that the server is up."""
        return Response("ok", mimetype="text/plain")


def _limit(everything: int) -> int:
    text = request.args.get("limit") or "0"
    if not text.isdecimal():
        raise SelectorError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text) or max(everything, 1)


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"v2 {start}".encode()).decode().rstrip("=")


def _from(token: str) -> int:
    if not token:
        return 0
    try:
        version, start = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).split()
        if version == b"v2":
            return int(start)
    except (ValueError, binascii.Error):
        pass
    raise SelectorError("continue key is not valid")


def _json(document: Document, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(document), status=status, mimetype="application/json")


def _status(status: HTTPStatus, reason: str, message: str, details: Document) -> Response:
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        **({"details": details} if details else {}),
        "code": status.value,
    }
    return _json(document, status)


def _not_found(kind: Kind, name: str) -> Response:
    what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    details = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}
    return _status(HTTPStatus.NOT_FOUND, "NotFound", f'{what} "{name}" not found', details)


def _bad_request(error: Exception) -> Response:
    return _status(HTTPStatus.BAD_REQUEST, "BadRequest", str(error), {})

"""An API server of Kubernetes, and the objects it has, with only what matters said."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
from unit.collect.stand_ins import ONSET, make_alert, make_scope, upstream_to

from opssage.evidence import Evidence, EvidenceKind
from tasks.collect.kubernetes import KubernetesSource, clean_objects
from tasks.collect.kubernetes.questions import RESOURCES
from tasks.collect.source import Answer

RECORDED = Path(__file__).parents[2] / "fixtures" / "kubernetes"
LONG_AGO = ONSET - timedelta(days=30)
SHOP = make_alert({"alertname": "A", "namespace": "shop"})
WEB = make_alert({"alertname": "A", "namespace": "shop", "deployment": "web"})

Document = dict[str, Any]


def at(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded(name: str) -> Document:
    """An answer of a real API server: status, headers, body."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def reply(name: str) -> httpx2.Response:
    """The same as a response."""
    document = recorded(name)
    body = document["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    return httpx2.Response(document["status"], text=text)


@dataclass
class FakeKubernetes:
    """Lists the objects it has; what it has none of it serves too, unless it refuses.

    A `page` has no more objects than that, whatever is asked for.
    """

    page: int = 250
    things: list[Document] = field(default_factory=list)
    logs: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    refusals: dict[str, httpx2.Response | Exception] = field(default_factory=dict)
    asked: list[httpx2.Request] = field(default_factory=list)

    def has(self, *things: Document) -> "FakeKubernetes":
        """Keep objects; those without a time are old."""
        for thing in things:
            thing.setdefault("metadata", {}).setdefault("creationTimestamp", at(LONG_AGO))
            self.things.append(thing)
        return self

    def refuse(self, path: str, answer: httpx2.Response | Exception) -> None:
        """Answer so to whatever has this in its path."""
        self.refusals[path] = answer

    @property
    def paths(self) -> list[str]:
        """The paths asked for."""
        return [request.url.path for request in self.asked]

    @property
    def transport(self) -> httpx2.MockTransport:
        """To be passed to the source."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        path, params = request.url.path, request.url.params
        for part, answer in self.refusals.items():
            if part in path:
                if isinstance(answer, Exception):
                    raise answer
                return httpx2.Response(answer.status_code, text=answer.text)
        if path.endswith("/log"):
            key = (path.split("/")[-2], params["container"], "previous" in params)
            return _log(self.logs.get(key))
        selectors = (params.get("fieldSelector", ""), *_labels(params.get("labelSelector", "")))
        return self._objects(path, ",".join(filter(None, selectors)))

    def _objects(self, path: str, selector: str) -> httpx2.Response:
        kind = next(r.kind for r in RESOURCES.values() if f"/{r.plural}" in path)
        _, _, rest = path.partition("/namespaces/")
        namespace, _, rest = rest.partition("/")
        found = [
            thing
            for thing in self.things
            if thing["kind"] == kind
            and namespace in {"", thing["metadata"].get("namespace", "")}
            and _matches(thing, selector)
        ]
        _, _, name = rest.partition("/")
        if not name:
            token = self.asked[-1].url.params.get("continue", "")
            start = int(token) if token.isdecimal() else 0
            after = start + self.page
            more = {"continue": str(after)} if after < len(found) else {}
            page = {"kind": f"{kind}List", "items": found[start:after], "metadata": more}
            return httpx2.Response(200, json=page)
        one = [thing for thing in found if thing["metadata"]["name"] == name]
        return httpx2.Response(200, json=one[0]) if one else reply("pod_404")


def _log(text: str | None) -> httpx2.Response:
    return reply("log_previous_none_400") if text is None else httpx2.Response(200, text=text)


def _labels(selector: str) -> list[str]:
    """A selector of labels as one of fields."""
    return [f"metadata.labels.{term}" for term in selector.split(",") if term]


def _matches(thing: Document, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        path, _, wanted = term.partition("=")
        value: Any = thing
        for key in path.rstrip("!").split("."):
            value = value.get(key, {})
        if (value == wanted) == path.endswith("!"):
            return False
    return True


def ask(cluster: FakeKubernetes, *alerts: Any, log_lines: int = 0, **scope: Any) -> Answer:
    """Ask a source about alerts, by default about the namespace `shop`."""
    upstream = upstream_to(cluster.transport, source="kubernetes", clean=clean_objects)
    source = KubernetesSource(upstream, log_lines=log_lines)
    return source.ask(make_scope(*(alerts or (SHOP,)), **scope), monotonic() + 60)


def objects(answer: Answer, kind: str) -> dict[str, Evidence]:
    """The evidence about objects of a kind, by name."""
    return {
        item.data["object"]["name"]: item
        for item in answer.evidence
        if item.kind is EvidenceKind.OBJECT and item.data["object"]["kind"] == kind
    }


def problems(item: Evidence) -> list[tuple[str, str]]:
    """Reasons and messages."""
    return [(each["reason"], each["message"]) for each in item.data["problems"]]


def reasons(item: Evidence) -> list[str]:
    """Reasons alone."""
    return [each["reason"] for each in item.data["problems"]]


def thing(kind: str, name: str, *, namespace: str = "shop", **more: Any) -> Document:
    """An object; `owner` is a pair of kind and name, `created` a time."""
    metadata: Document = {"name": name, "labels": more.pop("labels", {})}
    if namespace:
        metadata["namespace"] = namespace
    if owner := more.pop("owner", None):
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    if created := more.pop("created", None):
        metadata["creationTimestamp"] = at(created)
    metadata["annotations"] = more.pop("annotations", {})
    return {"kind": kind, "metadata": metadata, **more}


def pod(
    name: str = "web-1",
    *statuses: Mapping[str, Any],
    ready: bool = True,
    spec: Mapping[str, Any] | None = None,
    **more: Any,
) -> Document:
    """A pod that runs and is ready, unless told otherwise."""
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [container("app", ready=ready), *statuses][-max(1, len(statuses)) :],
    }
    more["status"] = {**status, **more.get("status", {})}
    more.setdefault("labels", {"app": "web"})
    containers = [{"name": each["name"], "image": "web:1"} for each in status["containerStatuses"]]
    full = {"nodeName": "node-1", "containers": containers, **(spec or {})}
    return thing("Pod", name, spec=full, **more)


def container(name: str = "app", **more: Any) -> Document:
    """A container's status: it runs."""
    running = {"running": {"startedAt": at(LONG_AGO)}}
    return {"name": name, "ready": True, "restartCount": 0, "state": running, **more}


def waiting(reason: str, message: str = "", **more: Any) -> Document:
    """The status of a container that waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return container(**{"ready": False, "state": state, **more})


def ended(reason: str, code: int, finished: datetime = ONSET) -> Document:
    """How a run of a container ended."""
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at(finished)}}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Document:
    """A condition that is so since onset."""
    told = {"type": kind, "status": status, "reason": reason, "message": message}
    return {**told, "lastTransitionTime": at(ONSET)}


def template(image: str, **more: Any) -> Document:
    """What pods are made from."""
    return {"spec": {"containers": [{"name": "app", "image": image, **more}]}}


def replica_set(name: str, revision: int, image: str, created: datetime, **more: Any) -> Document:
    """A revision of the Deployment `web`."""
    return thing(
        "ReplicaSet",
        name,
        owner=("Deployment", "web"),
        created=created,
        annotations={"deployment.kubernetes.io/revision": str(revision)},
        spec={"replicas": 1, "template": template(image, **more)},
    )


def deployment(name: str = "web", *conditions: Document, ready: int = 1, **more: Any) -> Document:
    """A Deployment that wants one replica."""
    status = {"readyReplicas": ready, "conditions": list(conditions)}
    spec = {"replicas": 1, "template": template("web:1"), **more.pop("spec", {})}
    return thing("Deployment", name, spec=spec, status=status, **more)


def event(reason: str, about: tuple[str, str], **more: Any) -> Document:
    """An event of type Warning that happened at onset."""
    kind, name = about
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason}", "namespace": "shop"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": name},
        "type": "Warning",
        "reason": reason,
        "message": "it happened",
        "firstTimestamp": at(ONSET),
        "lastTimestamp": at(ONSET),
        "count": 1,
        "source": {"component": "kubelet"},
        **more,
    }

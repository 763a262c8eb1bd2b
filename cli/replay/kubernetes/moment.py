"""The moment at which a recording's objects are looked at."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from cli.replay.shapes import Shape, drawn

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """Now; objects are told as of it, however later they are asked for."""

    now: int  #: unix seconds

    def time(self, seconds: float) -> str:
        """Return so many seconds after now as Kubernetes writes times: whole seconds."""
        moment = datetime.fromtimestamp(int(self.now + seconds), UTC)
        return moment.isoformat().removesuffix("+00:00") + "Z"

    def micro_time(self, seconds: float) -> str:
        """Return the same with microseconds, as newer APIs write it."""
        moment = datetime.fromtimestamp(self.now + seconds, UTC)
        return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def value(shape: Shape) -> float:
    """Return what a shape is worth now."""
    return float(drawn(shape, np.zeros(1))[0])


def whole(shape: Shape) -> int:
    """Return the same as a whole number."""
    return round(value(shape))


def flips(shape: Shape) -> list[tuple[float, bool]]:
    """Return when a stepped shape changed until now, each with whether it holds from then on."""
    if not isinstance(shape, Mapping):
        return []
    past = [(at, held) for at, held in shape["steps"] if at <= 0]
    return [(float(at), bool(held)) for (_, before), (at, held) in pairwise(past) if held != before]


def since(shape: Shape) -> float | None:
    """Return when a stepped shape took the value of now; None when it always had it."""
    return next((at for at, _ in reversed(flips(shape))), None)


def uid(kind: str, namespace: str, name: str) -> str:
    """Return the id that an object has every time."""
    told = f"{name}.{namespace}" if kind == "Pod" else f"{kind}/{namespace}/{name}"
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, told))


def metadata(
    kind: str, namespace: str, name: str, created: str, labels: Mapping[str, str] | None = None
) -> Document:
    """Return an object's metadata."""
    place = {"namespace": namespace} if namespace else {}
    return {
        "name": name,
        **place,
        "uid": uid(kind, namespace, name),
        "resourceVersion": "215",
        "creationTimestamp": created,
        **({"labels": dict(labels)} if labels else {}),
    }


def owner(kind: str, version: str, namespace: str, name: str) -> list[Document]:
    """Return the references of an object that has one owner."""
    return [
        {
            "apiVersion": version,
            "kind": kind,
            "name": name,
            "uid": uid(kind, namespace, name),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def condition(
    kind: str, *, holds: bool | str, at: str, reason: str = "", message: str = ""
) -> Document:
    """Return a condition; `holds` may be `Unknown`."""
    status = holds if isinstance(holds, str) else str(holds)
    told = {"reason": reason, "message": message}
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": at,
        **{key: text for key, text in told.items() if text},
    }

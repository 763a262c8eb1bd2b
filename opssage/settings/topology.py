"""The topology file: who calls whom and whose it is, as people write it down.

    services:
      shop/web:
        owner: team-storefront
        calls: [shop/cart, shop/orders]
      shop/orders:
        calls: [billing/payment, mail]

A service is `namespace/name`, or `name` alone where that is enough to tell which is meant.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from opssage.errors import SettingsError
from opssage.graph import Edge, ServiceGraph
from opssage.settings.document import read
from opssage.settings.sections import Settings

SOURCE = "topology_file"
_KEY = "sources.topology_file"
_NO_SERVICE = "is not namespace/name, or name alone (a number needs quotes); for example shop/cart"
_NO_LIST = "is not a list of services; for example [shop/cart, shop/orders]"
_NO_SERVICES = "is not a section; write services indented below it, each with what it calls"
_NO_CALLS = "is not a section; write `calls:` with a list of services below it"
_NO_OWNER = "is not a name of at most 128 characters on one line; for example team-storefront"
_OF_SERVICE = ("calls", "owner")


def _service() -> fields.String:
    return fields.String(
        validate=validate.Regexp(r"[^\s/]+(?:/[^\s/]+)?\Z", error=_NO_SERVICE),
        error_messages={"invalid": _NO_SERVICE, "null": _NO_SERVICE},
    )


class _Service(Schema):
    error_messages = {"type": _NO_CALLS}  # noqa: RUF012 - marshmallow's own way to say it

    calls = fields.List(_service(), allow_none=True, error_messages={"invalid": _NO_LIST})
    owner = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"[^\x00-\x1f\x7f]{1,128}\Z", error=_NO_OWNER),
        error_messages={"invalid": _NO_OWNER},
    )


class _File(Schema):
    services = fields.Dict(
        keys=_service(),
        values=fields.Nested(_Service, allow_none=True),
        required=True,
        error_messages={"invalid": _NO_SERVICES, "null": _NO_SERVICES, "required": _NO_SERVICES},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """What a topology file says."""

    calls: ServiceGraph = field(default_factory=ServiceGraph)
    owners: Mapping[str, str] = field(default_factory=dict)  #: service, as written → its owner


def declared(settings: Settings) -> Topology:
    """Return what the configured file says; nothing without one. Raises SettingsError."""
    file = settings.sources.topology_file
    return Topology() if file is None else read_file(settings.folder / file)


def read_topology(path: Path) -> ServiceGraph:
    """Return the calls in a topology file. Raises SettingsError with all faults at once."""
    return read_file(path).calls


def read_file(path: Path) -> Topology:
    """Return what a topology file says. Raises SettingsError with all faults at once."""
    if not path.is_file():
        raise SettingsError([f"{_KEY}: {path} is not a file; correct the path, or write null"])
    try:
        document, faults = read(path)
    except SettingsError as error:
        raise SettingsError([f"{_KEY}: {fault}" for fault in error.faults]) from error
    try:
        loaded = _File().load(document)
    except ValidationError as error:
        faults += _told(error.messages_dict)
    if faults:
        raise SettingsError([f"{_KEY}: {path.name}: {fault}" for fault in faults])
    services: Mapping[str, Mapping[str, Any] | None] = loaded["services"]
    edges = (
        Edge(caller=caller, called=called, source=SOURCE)
        for caller, service in services.items()
        for called in (service or {}).get("calls") or ()
    )
    owners = {name: (service or {}).get("owner") for name, service in services.items()}
    return Topology(
        calls=ServiceGraph.of(edges),
        owners={name: owner for name, owner in sorted(owners.items()) if owner},
    )


def topology_faults(path: Path) -> list[str]:
    """Return what is wrong with a topology file, each with the setting that names it."""
    try:
        read_topology(path)
    except SettingsError as error:
        return error.faults
    return []


def _told(wrong: Mapping[str, Any]) -> Iterator[str]:
    """Put into words what the schema refused."""
    for key, found in wrong.items():
        if key != "services":
            yield f"{key}: {_unknown(key, 'services')}"
        elif isinstance(found, Mapping):
            for name, refused in found.items():
                at = f"services.{name}"
                yield from (f"{at}: {said}" for said in refused.get("key", ()))
                yield from _told_of_service(at, refused.get("value", {}))
        else:
            yield f"services: {found[0]}"


def _told_of_service(at: str, wrong: Mapping[str, Any]) -> Iterator[str]:
    for key, found in wrong.items():
        if key == "_schema":
            yield f"{at}: {found[0]}"
        elif key not in _OF_SERVICE:
            yield f"{at}.{key}: {_unknown(key, *_OF_SERVICE)}"
        elif isinstance(found, Mapping):
            yield from (f"{at}.{key}[{position}]: {said[0]}" for position, said in found.items())
        else:
            yield f"{at}.{key}: {found[0]}"


def _unknown(key: str, *known: str) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; known here: {', '.join(known)}"

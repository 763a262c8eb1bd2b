"""What is wrong with a configuration, said so that a person can mend it.

Every fault reads `key.path: what is wrong; how to fix it`.
"""

import dataclasses
import difflib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields

from opssage.redaction import mask, redact_text
from opssage.settings.interpolation import Path, references
from opssage.settings.kinds import Kind
from opssage.settings.schema import rows, schema
from opssage.settings.sections import AuthSettings, Settings, WebSettings

_SHOWN_LENGTH = 60
_OPEN_TO_OTHERS = (
    "auth.mode: not set, and web.host {host} can be reached from other machines; "
    "write auth.mode: token and make tokens with `opssage token create`, or write auth.mode: open"
)
_IGNORED = (
    "auth.mode: open, although auth.token is set; "
    "set OPSSAGE_AUTH_MODE to token to ask for it, or take the token away"
)

_SAME_NAME = (
    "notify.targets[{}].name: {!r} is the name of notify.targets[{}] too; give each its own"
)


def check(document: Mapping[str, Any], written: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Return the values of a document that are right, and the faults of the others.

    `written` is the document before its variables were expanded: it tells where a value is from.
    """
    try:
        return schema(Settings).load(document), []
    except ValidationError as error:
        return error.valid_data, list(_tell(Settings, error.messages_dict, document, written))


def _tell(
    section: type, wrong: Mapping[str, Any], document: Any, written: Any, at: Path = ()
) -> Iterator[str]:
    """Put into words, in the order of the document, what the schema of a section refused."""
    if not isinstance(document, Mapping):
        yield f"{dotted(at)}: is not a section; write its keys indented below it"
        return
    for key, value in document.items():
        if key not in wrong:
            continue
        path, row = (*at, str(key)), rows(section).get(key)
        if row is None:
            yield f"{dotted(path)}: unknown key; {_suggestion(str(key), section)}"
        elif isinstance(row, Kind) and row.section and isinstance(wrong[key], Mapping):
            for position, refused in wrong[key].items():
                below = value[position], written[key][position], (*path, f"[{position}]")
                yield from _tell(row.section, refused, *below)
        elif isinstance(row, Kind):
            faults = _entries(row, value, wrong[key], path)
            yield from faults or [f"{dotted(path)}: {_refused(row, value, written[key])}"]
        else:
            yield from _tell(row, wrong[key], value, written[key], path)
    for key, row in rows(section).items():
        if key in wrong and key not in written and isinstance(row, Kind):
            yield f"{dotted((*at, key))}: missing; write {row.expects}, for example {row.example}"


def _entries(kind: Kind, values: Any, wrong: Any, path: Path) -> list[str]:
    """Return what is wrong with the entries of a value whose names are the writer's own, if any."""
    if not (isinstance(kind.field, fields.Dict) and isinstance(wrong, Mapping)):
        return []
    faults = []
    for name, value in values.items():
        at, refused = dotted((*path, name)), wrong.get(name, {})
        faults += [f"{at}: {said}" for said in refused.get("key", ())]
        faults += [f"{at}: {_shown_value(value)} {said}" for said in refused.get("value", ())]
    return faults


def dotted(path: Path) -> str:
    """Return the path of a key as people write it."""
    return ".".join(map(str, path)).replace(".[", "[")


def _suggestion(key: str, section: type) -> str:
    known = rows(section)
    if near := difflib.get_close_matches(key, known, n=1):
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(known)}"


def _refused(kind: Kind, value: Any, written: Any) -> str:
    names = references(written)
    origin = f" (from {', '.join(names)})" if names else ""
    return f"{_shown(kind, value)}{origin} is not {kind.expects}; for example {kind.example}"


def _shown(kind: Kind, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if kind.secret:
        return "the value (hidden)"
    if isinstance(value, Mapping) and not isinstance(kind.field, fields.Dict):
        return "a section"
    return _shown_value(value)


def _shown_value(value: Any) -> str:
    if not isinstance(value, str):
        return redact_text(str(value))[:_SHOWN_LENGTH]
    return repr(without_password(value)[:_SHOWN_LENGTH])


def without_password(url: str) -> str:
    """Return a URL with its password masked, whatever characters stand in it."""
    front, at, back = url.rpartition("@")
    scheme, slashes, user_info = front.rpartition("://")
    user, colon, password = user_info.partition(":")
    return redact_text("".join((scheme, slashes, user, colon, mask(password), at, back)))


def settle_auth(values: dict[str, Any]) -> list[str]:
    """Give `auth.mode` its meaning where it is null, and return what forbids that.

    A token that is set asks for `token`. Without one the API is open, on loopback only: whoever
    opens it to other machines has to say so in words. Mode `token` needs none here: tokens are
    stored, too.
    """
    auth = values["auth"] = dict(values.get("auth") or {})
    token = auth.get("token")
    if auth.get("mode") is None:
        host = (values.get("web") or {}).get("host", WebSettings().host)
        if not token and not is_loopback(host):
            return [_OPEN_TO_OTHERS.format(host=host)]
        auth["mode"] = "token" if token else AuthSettings().mode
    if auth["mode"] == "open" and token:
        return [_IGNORED]
    return []


def settle_targets(values: Mapping[str, Any]) -> list[str]:
    """Return what forbids to tell the targets of notifications apart."""
    first: dict[str, int] = {}
    faults = []
    for position, target in enumerate((values.get("notify") or {}).get("targets", ())):
        name = target["name"]
        if name in first:
            faults.append(_SAME_NAME.format(position, name, first[name]))
        first.setdefault(name, position)
    return faults


def settle_sources(values: Mapping[str, Any]) -> list[str]:
    """Return which credentials of sources contradict each other, or are half there."""
    return [
        f"sources.{name}.{fault}"
        for name, section in (values.get("sources") or {}).items()
        if isinstance(section, Mapping)
        for applies, fault in _HALVES
        if applies(section.get)
    ]


_Given = Callable[[str], Any]

_HALVES: tuple[tuple[Callable[[_Given], Any], str], ...] = (
    (
        lambda given: given("bearer_token") and given("username"),
        "username: is set beside bearer_token, and only one can be sent; take one of them away",
    ),
    (
        lambda given: given("username") and not given("password"),
        "password: missing beside username; write it, or take username away",
    ),
    (
        lambda given: given("key_file") and not given("cert_file"),
        "cert_file: missing beside key_file; write it, or take key_file away",
    ),
    (
        lambda given: given("context") and not given("config"),
        "config: missing beside context; write the kubeconfig it is in, or take context away",
    ),
)
"""When it applies, and what is wrong then and how to fix it."""

_SHORTER = (
    ("worker.heartbeat_seconds", 0.5, "worker.lease_seconds", "one late heartbeat ends a lease"),
    ("worker.canary_seconds", 1, "worker.silence_seconds", "every queue would seem dead"),
    ("worker.stage_seconds", 1, "worker.silence_seconds", "a long stage ends a healthy worker"),
    ("collect.deadline_seconds", 0.9, "worker.stage_seconds", "collect is ended before it is done"),
)
"""A duration, the share of the other that it may take at most, the other, and why."""


def settle_times(values: Mapping[str, Any]) -> list[str]:
    """Return which durations contradict each other."""
    faults = []
    for shorter, share, longer, otherwise in _SHORTER:
        is_, may_be = _given(values, shorter), share * _given(values, longer)
        if is_ >= may_be:
            faults.append(
                f"{shorter}: {is_:g} is not below {may_be:g}, which {longer} allows: {otherwise}; "
                "lower it or raise the other"
            )
    return faults


def _given(values: Mapping[str, Any], path: str) -> float:
    """Return what a number is set to, or its default."""
    section, key = path.split(".")
    default = next(each.default for each in dataclasses.fields(Settings) if each.name == section)
    return float((values.get(section) or {}).get(key, getattr(default, key)))


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

"""What `opssage doctor` asks the sources of evidence, and how to mend what they answer.

They are asked as collect asks them, and their faults are told in the words of its ledger.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

import httpx2 as httpx

from cli.findings import Answer, Level, Row
from opssage.errors import SettingsError, SourceError
from opssage.redaction import redact
from opssage.settings import Settings
from opssage.settings.kinds import Kind
from opssage.settings.schema import rows
from tasks.collect.registry import connection
from tasks.collect.upstream import RefusedError, UnreachableError, Upstream

Ask = Callable[[str], Any]
"""Returns the JSON answer of a source to a path with a query. Raises SourceError."""


def _asked(name: str, without: str, answer: Callable[[Ask], Answer], settings: Settings) -> Answer:
    """Return what a source answers; `without`: what is lost when it is not configured."""
    try:
        there = connection(settings, name)
    except SettingsError as error:
        return Level.FAIL, "; ".join(error.faults), _fix_setting(name, error, settings)
    if there is None:
        return Level.WARN, f"not configured: {without}"
    seconds = getattr(settings.sources, name).timeout_seconds
    with there.client:
        upstream = Upstream(
            source=name,
            url=there.url,
            client=there.client,
            timeout_seconds=seconds,
            clean=redact,
        )
        try:
            return answer(lambda path: upstream.get(path, {}, monotonic() + seconds).body)
        except SourceError as error:
            return Level.FAIL, str(error), _fix(name, error, settings)


def _fix_setting(name: str, error: SettingsError, settings: Settings) -> str:
    relative = "a relative path starts at the folder of the configuration file"
    if "no pod with a service account" in str(error):
        return f"run it in a pod that has one, or name a kubeconfig in {_where(name, settings)}"
    if name == "kubernetes":
        return f"correct {_where(name, settings)}; {relative}"
    return f"correct what is named; {relative}"


def _fix(name: str, error: SourceError, settings: Settings) -> str:
    """Return what to mend, by what the source said; the key is named, and its variable."""
    told = str(error)
    for word, fix in _BY_WORD:
        if word in told:
            return fix(name, settings)
    if isinstance(error, RefusedError):
        return _BY_STATUS.get(error.status, _address)(name, settings)
    if isinstance(error, UnreachableError):
        return f"start it, or correct {_where(name, settings)}"
    return _address(name, settings)


def _address(name: str, settings: Settings) -> str:
    return f"correct {_where(name, settings)}: it has to lead to {name} itself"


def _credentials(name: str, settings: Settings) -> str:
    if name == "kubernetes":
        return f"renew the credentials in {_where(name, settings)}"
    key = f"sources.{name}"
    ways = f"{_named(name, 'bearer_token', settings)}, or {key}.username and password"
    tenant = "" if name == "alertmanager" else f"; {key}.tenant, where it serves several"
    return f"correct {ways}{tenant}"


def _base_path(name: str, settings: Settings) -> str:
    return (
        f"correct the path of {_where(name, settings)}: where {name} is served, without /api, "
        "/graph or a page"
    )


def _https(name: str, settings: Settings) -> str:
    return f"write https:// in {_where(name, settings)} if it speaks TLS there"


def _trust(name: str, settings: Settings) -> str:
    if name == "kubernetes":
        return f"give the certificate authority of the cluster in {_where(name, settings)}"
    return f"set sources.{name}.ca_file to the certificate authority that signed it"


def _plugin(name: str, settings: Settings) -> str:
    return f"what {_where(name, settings)} runs for credentials has to be where the workers run"


def _slow(name: str, _: Settings) -> str:
    return f"see what slows it down, or raise sources.{name}.timeout_seconds"


def _where(name: str, settings: Settings) -> str:
    return _named(name, "config" if name == "kubernetes" else "url", settings)


def _named(name: str, key: str, settings: Settings) -> str:
    """Return the path of a setting, with the variable that may give it."""
    row = rows(type(getattr(settings.sources, name)))[key]
    variable = f" ({row.env})" if isinstance(row, Kind) and row.env else ""
    return f"sources.{name}.{key}{variable}"


_Fix = Callable[[str, Settings], str]

_BY_WORD: tuple[tuple[str, _Fix], ...] = (
    ("CERTIFICATE_VERIFY_FAILED", _trust),
    ("no credentials:", _plugin),
    ("too slow", _slow),
)
_BY_STATUS: Mapping[int, _Fix] = {
    400: _https,
    401: _credentials,
    403: _credentials,
    404: _base_path,
}


def _prometheus(ask: Ask) -> Answer:
    found = ask("/api/v1/query?query=count(up)")
    if not (found.get("data") or {}).get("result"):
        return (
            Level.WARN,
            "answers, but scrapes nothing: `up` is empty",
            "see that it is the one that scrapes this cluster and evaluates its rules",
        )
    return Level.OK, "answers, and has data"


def _loki(ask: Ask) -> Answer:
    if not ask("/loki/api/v1/labels").get("data"):
        return (
            Level.WARN,
            "answers, but has no log lines of late",
            "see that logs arrive there, and that sources.loki.tenant is the one they are kept for",
        )
    return Level.OK, "answers, and has data"


def _kubernetes(ask: Ask) -> Answer:
    try:
        ask("/api/v1/pods?limit=1")
    except RefusedError as error:
        if error.status != httpx.codes.FORBIDDEN:
            raise
        told = "answers, but does not let us list the pods of all namespaces"
        return Level.WARN, told, "apply deploy/kubernetes/cluster-role.yaml, or role.yaml by choice"
    return Level.OK, "answers, and lets us list pods"


def _alertmanager(ask: Ask) -> Answer:
    version = (ask("/api/v2/status").get("versionInfo") or {}).get("version", "unknown")
    return Level.OK, f"answers, version {version}"


SOURCES: tuple[Row, ...] = (
    (
        "prometheus",
        partial(_asked, "prometheus", "diagnoses lack metrics", _prometheus),
        "set PROMETHEUS_URL (and PROMETHEUS_TOKEN) to one that scrapes; see docs/sources.md",
    ),
    (
        "kubernetes",
        partial(
            _asked,
            "kubernetes",
            "diagnoses lack the state of pods, and their events",
            _kubernetes,
        ),
        "set OPSSAGE_KUBECONFIG to a kubeconfig or in-cluster; see docs/sources.md",
    ),
    (
        "loki",
        partial(_asked, "loki", "diagnoses lack logs", _loki),
        "set LOKI_URL (and LOKI_TOKEN) to one that receives logs; see docs/sources.md",
    ),
    (
        "alertmanager",
        partial(
            _asked,
            "alertmanager",
            "diagnoses do not see what else fires, and what is silenced",
            _alertmanager,
        ),
        "set ALERTMANAGER_URL (and ALERTMANAGER_TOKEN) to the one you use; see docs/sources.md",
    ),
)

"""Settings from a file and the environment, and settings to show."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import fields

from opssage.errors import SettingsError
from opssage.redaction import mask
from opssage.settings.document import read
from opssage.settings.faults import (
    check,
    dotted,
    settle_auth,
    settle_sources,
    settle_targets,
    settle_times,
    without_password,
)
from opssage.settings.interpolation import expand_tree
from opssage.settings.kinds import Kind
from opssage.settings.schema import build, rows
from opssage.settings.sections import Settings
from opssage.settings.topology import topology_faults

_FILE_VARIABLE = "OPSSAGE_CONFIG"
_FILE = Path("config.yaml")


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a YAML file: `path`, else `OPSSAGE_CONFIG`, else ./config.yaml.

    ./config.yaml may be absent. A key that the file leaves out has its default, or the value of
    the variable that config.yaml names for it. Raises SettingsError with all faults at once.
    """
    named = path or (Path(environ[_FILE_VARIABLE]) if environ.get(_FILE_VARIABLE) else None)
    file = named or _FILE
    found, faults = read(file) if named or file.exists() else ({}, [])
    written = _with_variables(Settings, found, environ)
    document = expand_tree(
        written, environ, lambda at, fault: faults.append(f"{dotted(at)}: {fault}")
    )
    values, refused = check(document, written)
    faults += refused
    if not any(fault.startswith(("auth:", "auth.")) for fault in faults):
        faults += settle_auth(values)
    if not any(fault.startswith("sources") for fault in faults):
        faults += settle_sources(values)
    if not any(fault.startswith("notify") for fault in faults):
        faults += settle_targets(values)
    if not any(fault.startswith(("worker", "collect")) for fault in faults):
        faults += settle_times(values)
    folder = file.resolve().parent
    if topology := (values.get("sources") or {}).get("topology_file"):
        faults += topology_faults(folder / topology)
    if faults:
        raise SettingsError(faults)
    return build(Settings, values, folder=folder)


def _with_variables(section: type, found: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return a document with a reference to every variable that stands in for a missing key."""
    document = dict(found)
    for key, row in rows(section).items():
        if isinstance(row, Kind):
            if row.env and environ.get(row.env):
                document.setdefault(key, f"${{{row.env}}}")
        elif isinstance(below := document.get(key), Mapping | None):
            document[key] = _with_variables(row, below or {}, environ)
    return document


def describe(settings: Settings) -> dict[str, Any]:
    """Return the effective settings as plain JSON, secrets and passwords in URLs masked."""
    return {"folder": str(settings.folder), **_described(settings)}


def _described(section: Any) -> dict[str, Any]:
    return {
        key: _shown(row, getattr(section, key))
        if isinstance(row, Kind)
        else _described(getattr(section, key))
        for key, row in rows(type(section)).items()
    }


def _shown(kind: Kind, value: Any) -> Any:
    if kind.section is not None:
        return [_described(item) for item in value]
    if isinstance(kind.field, fields.Dict):
        return dict(value)
    if isinstance(value, str):
        return mask(value) if kind.secret else without_password(value)
    return list(value) if isinstance(value, tuple) else value

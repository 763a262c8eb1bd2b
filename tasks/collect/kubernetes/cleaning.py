"""What of Kubernetes' documents is never kept: secrets, contents, and ballast."""

from collections.abc import Callable, Mapping
from typing import Any

from opssage.redaction import mask, redact

_READ = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "kubernetes.io/change-cause",
        "kubernetes.io/ingress.class",
        "storageclass.kubernetes.io/is-default-class",
    }
)
"""Annotations that are read. Of others only whether they changed is of interest: several tools
keep a second copy of the whole object in one."""

_CONTENT = ("data", "binaryData", "stringData")
_OF_CONTENT = ("ConfigMap", "Secret")


def clean_objects(document: Any) -> Any:
    """Return a copy of an answer of the API without secrets, and without what nobody reads.

    Values of environment variables, of headers of probes, of annotations that nobody reads, and
    command lines become masks, which tell whether two were the same. The content of ConfigMaps
    and Secrets goes, as do the lists of a node's images and of who owns which field.
    """
    return redact(_lean(document))


def _lean(value: Any) -> Any:
    if isinstance(value, Mapping):
        gone = _CONTENT if value.get("kind") in _OF_CONTENT else ()
        return {
            key: _BY_KEY.get(key, _lean)(item) for key, item in value.items() if key not in gone
        }
    if isinstance(value, list):
        return [_lean(item) for item in value]
    return value


def _annotations(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _lean(value)
    return {key: item if key in _READ else mask(str(item)) for key, item in value.items()}


def _named_values(value: Any) -> Any:
    """Return the entries of a list of names and values, such as an environment, with masks."""
    if not isinstance(value, list):
        return _lean(value)
    return [
        {**_lean(item), "value": mask(str(item["value"]))}
        if isinstance(item, Mapping) and "value" in item
        else _lean(item)
        for item in value
    ]


def _words(value: Any) -> Any:
    """Return a command line as masks: a password in it stands apart from its option."""
    return [mask(str(each)) for each in value] if isinstance(value, list) else _lean(value)


def _managers(value: Any) -> Any:
    if not isinstance(value, list):
        return _lean(value)
    return [
        {key: item for key, item in entry.items() if key != "fieldsV1"}
        for entry in value
        if isinstance(entry, Mapping)
    ]


def _nothing(_: Any) -> list[Any]:
    return []


_BY_KEY: Mapping[str, Callable[[Any], Any]] = {
    "annotations": _annotations,
    "env": _named_values,
    "httpHeaders": _named_values,
    "args": _words,
    "command": _words,
    "managedFields": _managers,
    "images": _nothing,
}

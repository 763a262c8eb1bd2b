"""Alerting rules out of files: Prometheus' own, PrometheusRule manifests, and plain lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from cli.exits import CommandError, Exit
from tasks.collect.coverage import AlertRule


def read(file: Path) -> list[AlertRule]:
    """Return the alerting rules of a file in its order. Raises CommandError when it has none."""
    found = [rule for document in _documents(file) for rule in _rules(document)]
    if not found:
        told = f"{file} has no alerting rules: groups of rules, or a list of them, are read"
        raise CommandError(told, Exit.USAGE)
    return found


def _documents(file: Path) -> list[Any]:
    content = file.read_bytes()
    try:
        return [orjson.loads(content)]
    except orjson.JSONDecodeError:
        pass
    try:
        return list(yaml.safe_load_all(content))
    except yaml.YAMLError as error:
        raise CommandError(f"{file} is neither JSON nor YAML: {error}", Exit.USAGE) from error


def _rules(document: Any) -> Iterator[AlertRule]:
    """Yield what stands in `groups`, `spec.groups`, `items` or a list, at any depth of these."""
    if isinstance(document, list):
        for item in document:
            yield from _rules(item)
    elif isinstance(document, dict):
        name, expression = document.get("alert") or document.get("name"), document.get("expr")
        if name and expression is not None and "record" not in document:
            yield AlertRule(
                name=str(name),
                expression=str(expression),
                labels={
                    str(key): str(text) for key, text in (document.get("labels") or {}).items()
                },
            )
        for key in ("spec", "groups", "rules", "items"):
            yield from _rules(document.get(key))

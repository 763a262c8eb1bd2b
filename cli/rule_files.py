"""Alerting rules out of files: Prometheus' own, PrometheusRule manifests, and plain lists."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml

from cli import rule_faults
from cli.exits import CommandError, Exit
from tasks.collect.coverage import AlertRule


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleFile:
    """What a file holds."""

    rules: tuple[AlertRule, ...]  #: in its order
    notes: tuple[str, ...] = ()  #: what was passed over, for people


def read(file: Path) -> RuleFile:
    """Return the alerting rules of a file.

    Raises CommandError, which tells all faults, when it has none or any of them is malformed.
    """
    reading = _Reading()
    for document in _documents(file):
        reading.walk(document)
    if reading.faults:
        raise CommandError("\n".join(f"{file}: {each}" for each in reading.faults), Exit.USAGE)
    if not reading.rules:
        told = f"{file} has no alerting rules: groups of rules, or a list of them, are read"
        raise CommandError(told, Exit.USAGE)
    return RuleFile(rules=tuple(reading.rules), notes=tuple(reading.notes))


def _documents(file: Path) -> list[Any]:
    content = file.read_bytes()
    try:
        return [orjson.loads(content)]
    except orjson.JSONDecodeError:
        pass
    try:
        return list(yaml.load_all(content, _Plain))
    except (yaml.YAMLError, ValueError) as error:
        raise CommandError(f"{file} is neither JSON nor YAML: {error}", Exit.USAGE) from error
    except RecursionError as error:
        raise CommandError(f"{file} is nested too deep to be read", Exit.USAGE) from error


class _Plain(yaml.SafeLoader):
    """Reads YAML without aliases: with them a few lines stand for more than memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose the next node. Raises YAMLError when it is an alias."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "aliases are not read; write it out instead", mark
            )
        return super().compose_node(parent, index)


@dataclass(slots=True)
class _Reading:
    """Looks for rules in `groups`, `spec.groups`, `items` or a list, at any depth of these."""

    rules: list[AlertRule] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)  #: key → where it is

    def walk(self, document: Any) -> None:
        """Read one document."""
        waiting = [_Node(document)]
        while waiting:
            node = waiting.pop()
            if isinstance(node.item, list):
                waiting += reversed(list(node.entries()))
            elif node.is_rule or not isinstance(node.item, dict):
                self._rule(node)
            elif not _WRAPPERS.isdisjoint(node.item):
                waiting += reversed(list(node.below()))

    def _rule(self, node: "_Node") -> None:
        rule = node.item
        if not isinstance(rule, dict):
            if node.is_in_group:
                self.faults.append(f"{node.place}: is not a rule; write alert and expr below it")
            elif rule is not None:
                self.left_out.append(node.place)
            return
        # a plain list may tell of its rules what it likes
        for key in rule_faults.unknown(rule) if node.is_in_group else ():
            self.unknown.setdefault(key, []).append(node.place)
        if "record" in rule:
            return
        wrong = list(rule_faults.faults(rule))
        if wrong and not node.is_in_group and "expr" not in rule:
            self.left_out.append(node.place)
        elif wrong:
            self.faults += [f"{node.place}: {each}" for each in wrong]
        else:
            name = str(rule.get("alert") or rule["name"])
            labels = {str(key): str(text) for key, text in (rule.get("labels") or {}).items()}
            self.rules.append(AlertRule(name=name, expression=str(rule["expr"]), labels=labels))

    @property
    def notes(self) -> Iterator[str]:
        """What was passed over."""
        if self.left_out:
            yield f"left out, for they are no rules: {_first(self.left_out)}"
        for key, places in self.unknown.items():
            yield f"unknown key {key}: {_first(places)}"


_WRAPPERS = frozenset({"items", "rules", "groups", "spec"})


@dataclass(frozen=True, slots=True)
class _Node:
    """A piece of a document, and where it is."""

    item: Any
    place: str = "the document"
    is_in_group: bool = False  #: it stands in a group's `rules`
    is_entry: bool = False  #: of a list

    @property
    def is_rule(self) -> bool:
        """Whether it has to be a rule."""
        if self.is_in_group or not isinstance(self.item, dict):
            return self.is_in_group
        return _WRAPPERS.isdisjoint(self.item) and (self.is_entry or "expr" in self.item)

    def entries(self) -> Iterator["_Node"]:
        """Yield what a list holds."""
        for number, item in enumerate(self.item, 1):
            name = item.get("alert") or item.get("name") if isinstance(item, dict) else None
            told = f"{number} ({name})" if isinstance(name, str) else str(number)
            before = "" if self.place == "the document" else f"{self.place}, "
            what = "rule" if self.is_in_group else "entry"
            yield _Node(item, f"{before}{what} {told}", self.is_in_group, is_entry=True)

    def below(self) -> Iterator["_Node"]:
        """Yield what a mapping has rules in."""
        name = self.item.get("name")
        place = f"group {name}" if isinstance(name, str) and "rules" in self.item else self.place
        for key in ("spec", "groups", "rules", "items"):
            if (item := self.item.get(key)) is not None:
                yield _Node(item, place, is_in_group=key == "rules" or self.is_in_group)


def _first(places: list[str]) -> str:
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{places[0]}{more}"

"""Templates to text: titles for people, commands for a shell."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from opssage.diagnosis import Action
from tasks.diagnose.component import kind_of, label_of

_NAME = re.compile(r"\{(\w+)\}")
_CERTAIN = 0.01
_OBJECTS = frozenset({"pod", "deployment", "hog", "hog_deployment"})
"""What a command acts on: without these names it would act on something that is not there."""
_PLACEHOLDER = re.compile(
    r"(?:(?:(?<=deployment[/ ])|(?<=deploy[/ ]))NAME|(?<![\w$<{%.-])(?:NAMESPACE|POD|NODE))"
    r"(?![\w>}%=-])"
)
_SAFE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")


def names_of(component: str, details: Mapping[str, str]) -> dict[str, str]:
    """Return everything a text about a component may name."""
    name = label_of(component)
    places = {"node": name} if kind_of(component) == "node" else {}
    return {**details, **places, "component": component, "name": name}


def first_filled(templates: Sequence[str], names: Mapping[str, str]) -> str:
    """Return the first template whose names are all known, filled in."""
    for template in templates:
        if _known(template, names):
            return for_people(template, names)
    return templates[-1]


def for_people(template: str, names: Mapping[str, str]) -> str:
    """Fill a sentence in; a name that is not known stays readable: `<namespace>`."""
    return _NAME.sub(lambda match: names.get(match[1]) or f"<{match[1]}>", template)


def for_shell(template: str, names: Mapping[str, str]) -> str:
    """Fill a command in; a name a shell could misread stays a placeholder.

    Of several lines the first whose objects are all known is taken, else the last.
    """
    safe = _safe(names)
    lines = template.split("\n")
    known = (line for line in lines if _OBJECTS & set(_NAME.findall(line)) <= set(safe))
    return for_people(next(known, lines[-1]), safe)


def with_places(text: str, places: Mapping[str, str]) -> str:
    """Put names in the place of `NAMESPACE`, `POD`, `NODE` and `deployment/NAME`.

    Runbooks write commands with these words; one whose name is not known or not safe stays.
    """
    safe = _safe(places)
    return _PLACEHOLDER.sub(lambda match: safe.get(match[0], match[0]), text)


def _safe(names: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in names.items() if _SAFE.fullmatch(text)}


def filled(actions: Sequence[Action], names: Mapping[str, str]) -> Iterator[Action]:
    """Yield the actions whose sentences can be filled in; the others do not apply here."""
    for each in actions:
        if _known(each.action, names):
            yield replace(
                each,
                action=for_people(each.action, names),
                command=for_shell(each.command, names),
                verify=for_shell(each.verify, names),
            )


def looks(action: Action) -> bool:
    """Tell whether an action of the catalogue only looks: whatever changes something has a risk."""
    return action.risk == "low"


def clock(moment: datetime) -> str:
    """Return a time as `2026-11-23T03:02:40Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def chance(probability: float) -> str:
    """Return a probability as a percentage that never claims certainty: `<1%`, `42%`, `>99%`."""
    if probability < _CERTAIN:
        return f"<{_CERTAIN:.0%}"
    return f">{1 - _CERTAIN:.0%}" if probability > 1 - _CERTAIN else f"{probability:.0%}"


def plain(text: str) -> str:
    """Return text on one line that cannot be mistaken for a citation."""
    return " ".join(text.replace("[", "(").replace("]", ")").split())


def cited(statement: str, evidence_ids: Sequence[str]) -> str:
    """Return a statement with its evidence in square brackets; its own brackets become round."""
    told = plain(statement)
    return f"{told} [{', '.join(evidence_ids)}]" if evidence_ids else told


def _known(template: str, names: Mapping[str, str]) -> bool:
    return all(names.get(name) for name in _NAME.findall(template))

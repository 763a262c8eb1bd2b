"""What the alerts or pods name and what is not there.

ConfigMaps are asked for one by one, without their content. Secrets are never asked for: to see
that one exists takes the right to read it. That one is missing is what the kubelet says of the pod
that cannot start without it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from opssage.evidence import Evidence
from tasks.collect.kubernetes.api import Found
from tasks.collect.kubernetes.events import Event
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.nodes import addresses
from tasks.collect.kubernetes.objects import Seen, object_evidence
from tasks.collect.kubernetes.pods import claims_of, references
from tasks.collect.kubernetes.questions import RESOURCES, Question
from tasks.collect.kubernetes.sight import (
    Key,
    Problem,
    Sight,
    text,
)
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.source import Scope

MAX_CONFIG_MAPS = 10
MAX_ABSENT = 10

_NOT_FOUND = "not found"


def config_map_questions(focus: Focus, seen: Iterable[Seen]) -> list[Question]:
    """Return the questions for ConfigMaps of the alerts' pods and of ailing ones, these first."""
    pods = [each for each in seen if each.key[0] == "Pod"]
    pods = [each for each in pods if each.sight.problems or focus.has(each.key)]
    pods.sort(key=lambda each: (not each.sight.problems, each.key))
    wanted = (
        (each.key[1], name) for each in pods for name, _ in references(each.item, "configMap")
    )
    return [
        Question(resource=RESOURCES["ConfigMap"], namespace=namespace, name=name)
        for namespace, name in list(dict.fromkeys(wanted))[:MAX_CONFIG_MAPS]
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Absent:
    key: Key
    query: str
    because: str = ""  #: who needs it; "" for what may be gone rightly


def absences(
    focus: Focus, seen: Sequence[Seen], asked: Sequence[Found], told: Sequence[Event], scope: Scope
) -> tuple[Evidence, ...]:
    """Return what is not there, each once."""
    needed = [*_claims(focus.known, seen), *_config_maps(seen, asked), *_told(seen, told)]
    found: dict[Key, _Absent] = {}
    for each in (*needed, *_gone(focus)):
        found.setdefault(each.key, each)
    return tuple(_evidence(each, focus, scope) for each in list(found.values())[:MAX_ABSENT])


def _evidence(each: _Absent, focus: Focus, scope: Scope) -> Evidence:
    problem = Problem(reason="NotFound", message=each.because)
    return object_evidence(
        each.key,
        Sight(problems=(problem,) if each.because else ()),
        scope,
        subject=focus.subject(each.key),
        query=each.query,
        exists=False,
    )


def _gone(focus: Focus) -> Iterator[_Absent]:
    """Yield pods and nodes of the alerts that are there no longer."""
    known = focus.known
    for namespace, name in focus.targets.pods:
        if namespace and (query := known.absence("Pod", namespace, name)):
            yield _Absent(key=("Pod", namespace, name), query=query)
    nodes = known.all("Node")
    there = {name for node in nodes for name in (text(node, "metadata", "name"), *addresses(node))}
    for name in focus.targets.nodes:
        if known.lists_all("Node") and name not in there:
            yield _Absent(key=("Node", "", name), query=known.query("Node"))


def _claims(known: Known, seen: Iterable[Seen]) -> Iterator[_Absent]:
    for each in _ailing(seen):
        _, namespace, pod = each.key
        for name in claims_of(each.item):
            key = ("PersistentVolumeClaim", namespace, name)
            if query := known.absence(*key):
                yield _Absent(key=key, query=query, because=f"pod {pod} mounts it")


def _config_maps(seen: Sequence[Seen], asked: Iterable[Found]) -> Iterator[_Absent]:
    for answer in asked:
        if answer.kind == "ConfigMap" and answer.is_complete and not answer.items:
            namespace, name = answer.question.namespace, answer.question.name
            yield _Absent(
                key=("ConfigMap", namespace, name),
                query=answer.report.query,
                because=_needed_by(seen, namespace, name),
            )


def _needed_by(seen: Iterable[Seen], namespace: str, name: str) -> str:
    return next(
        f"pod {each.key[2]} needs it ({by})"
        for each in seen
        if each.key[0] == "Pod" and each.key[1] == namespace
        for wanted, by in references(each.item, "configMap")
        if wanted == name
    )


def _told(seen: Sequence[Seen], told: Iterable[Event]) -> Iterator[_Absent]:
    """Yield what the kubelet says is missing, of what a pod refers to."""
    by_object: dict[Key, list[str]] = {}
    for event in told:
        by_object.setdefault(event.about, []).append(event.message)
    for each in _ailing(seen):
        problems = [problem.message for problem in each.sight.problems]
        messages = [*problems, *by_object.get(each.key, ())]
        missing = [message for message in messages if _NOT_FOUND in message]
        for kind, what in (("Secret", "secret"), ("ConfigMap", "configMap")):
            for name, by in references(each.item, what) if missing else ():
                if any(_names(message, kind, name) for message in missing):
                    yield _Absent(
                        key=(kind, each.key[1], name),
                        query=each.query,
                        because=f"pod {each.key[2]} needs it ({by})",
                    )


def _names(message: str, kind: str, name: str) -> bool:
    """Tell whether a message names an object; the word for a Secret may have been masked."""
    is_config_map = "configmap" in message.lower()
    if is_config_map != (kind == "ConfigMap"):
        return False
    return bool(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", message))


def _ailing(seen: Iterable[Seen]) -> list[Seen]:
    found = [each for each in seen if each.key[0] == "Pod" and each.sight.problems]
    return sorted(found, key=lambda each: each.key)

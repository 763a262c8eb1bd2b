"""The Kubernetes source: lists what is around the alerts, then asks for what these lists lack."""

import re
from collections.abc import Iterable, Iterator, Sequence

from opssage.evidence import Evidence, SourceReport, SourceStatus
from tasks.collect.kubernetes.absences import absences, config_map_questions
from tasks.collect.kubernetes.api import SOURCE, Found, KubernetesApi
from tasks.collect.kubernetes.events import events, read_events
from tasks.collect.kubernetes.logs import log_questions, logs
from tasks.collect.kubernetes.objects import Seen, ailing_pods, objects, seen_in
from tasks.collect.kubernetes.questions import GROUPED_EVENTS, RESOURCES, Question
from tasks.collect.kubernetes.revisions import changes
from tasks.collect.kubernetes.sight import Known, text
from tasks.collect.kubernetes.subjects import Focus
from tasks.collect.source import Answer, Scope
from tasks.collect.targets import Targets
from tasks.collect.upstream import Upstream

MAX_NAMESPACES = 3
MAX_NODES = 3
MAX_NAMES = 3  #: looked for where no namespace is known

NAMESPACED = (
    "Pod",
    "Event",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ControllerRevision",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "Service",
    "EndpointSlice",
    "Ingress",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "LimitRange",
)
"""What is listed of a namespace."""

# RFC 1123, as Kubernetes takes it for names of objects; a namespace has no dots in it.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class KubernetesSource:
    """Asks an API server about the objects around the alerts."""

    name = SOURCE

    def __init__(self, upstream: Upstream, *, log_lines: int) -> None:
        """Ask there, and for at most `log_lines` of the log of one container."""
        self._api = KubernetesApi(upstream)
        self._log_lines = log_lines

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask in rounds: where it is, what is there, and what this leads to."""
        targets, odd = _named_rightly(scope.targets)
        namespaces, located = self._namespaces(targets, deadline)
        if located and all(answer.is_refused for answer in located):
            return Answer(reports=(*odd, *(answer.report for answer in located)))
        first = self._api.run(_round_one(targets, namespaces), deadline)
        found = (*located, *first)
        ledger = [*odd, *_left_out(namespaces), *(answer.report for answer in found)]
        if all(answer.is_refused for answer in first):
            return Answer(reports=tuple(ledger))
        known = Known(found=found, since=scope.window.start, now=scope.now)
        focus = Focus(targets=targets, alerts=scope.alerts, known=known)
        questions = self._round_two(focus, seen_in(known, ("Pod", "Node")), scope)
        second = self._api.run(questions, deadline)
        ledger += [answer.report for answer in second]
        evidence = _read((*found, *second), focus, scope)
        return Answer(evidence=evidence, reports=tuple(ledger))

    def _namespaces(
        self, targets: Targets, deadline: float
    ) -> tuple[tuple[str, ...], tuple[Found, ...]]:
        """Return the namespaces to look at; where none is named, those with things so called."""
        names = dict.fromkeys(name for _, name in (*targets.pods, *targets.services))
        if targets.namespaces or not names:
            return targets.namespaces, ()
        found = self._api.run(_finding(targets), deadline)
        places = [text(item, "metadata", "namespace") for answer in found for item in answer.items]
        return tuple(dict.fromkeys(filter(None, places))), found

    def _round_two(self, focus: Focus, seen: Sequence[Seen], scope: Scope) -> list[Question]:
        return [
            *_other_events(focus.known),
            *_of_nodes(focus, seen),
            *_classes(focus.known),
            *config_map_questions(focus, seen),
            *log_questions(ailing_pods(focus, seen), scope, lines=self._log_lines),
        ]


def _read(found: tuple[Found, ...], focus: Focus, scope: Scope) -> tuple[Evidence, ...]:
    """Return everything that the answers show, what is wrong first."""
    listed = tuple(answer for answer in found if not answer.question.is_log)
    known = Known(found=listed, since=scope.window.start, now=scope.now)
    focus = Focus(targets=focus.targets, alerts=focus.alerts, known=known)
    seen, told = seen_in(known), read_events(listed)
    return (
        *changes(focus, listed, scope),
        *absences(focus, seen, listed, told, scope),
        *objects(focus, seen, scope),
        *events(focus, told, scope),
        *logs(focus, [answer for answer in found if answer.question.is_log], scope),
    )


def _named_rightly(targets: Targets) -> tuple[Targets, list[SourceReport]]:
    """Return the targets whose names can be those of objects; the ledger tells of the others."""
    kept = Targets(
        namespaces=tuple(filter(_NAMESPACE.fullmatch, targets.namespaces)),
        services=tuple(each for each in targets.services if _is_place(*each)),
        pods=tuple(each for each in targets.pods if _is_place(*each)),
        nodes=tuple(filter(_NAME.fullmatch, targets.nodes)),
        jobs=targets.jobs,
        instances=targets.instances,
    )
    odd = dict.fromkeys(name for name in _names(targets) if name and name not in set(_names(kept)))
    if not odd:
        return kept, []
    told = ", ".join(f"“{name}”" for name in odd)
    return kept, [_skipped(f"no names of Kubernetes objects: {told}")]


def _is_place(namespace: str, name: str) -> bool:
    is_placed = not namespace or _NAMESPACE.fullmatch(namespace)
    return bool(is_placed and _NAME.fullmatch(name))


def _names(targets: Targets) -> Iterator[str]:
    yield from (*targets.namespaces, *targets.nodes)
    for pair in (*targets.services, *targets.pods):
        yield from pair


def _skipped(told: str) -> SourceReport:
    return SourceReport(source=SOURCE, status=SourceStatus.SKIPPED, error=told)


def _left_out(namespaces: Sequence[str]) -> list[SourceReport]:
    if len(namespaces) <= MAX_NAMESPACES:
        return []
    told = ", ".join(namespaces[MAX_NAMESPACES:])
    return [_skipped(f"more than {MAX_NAMESPACES} namespaces, so not asked about {told}")]


def _list(kind: str, namespace: str = "", **params: str) -> Question:
    return Question(resource=RESOURCES[kind], namespace=namespace, params=params)


def _selected(kind: str, selector: str) -> Question:
    return _list(kind, fieldSelector=selector)


def _finding(targets: Targets) -> list[Question]:
    pods = dict.fromkeys(name for _, name in targets.pods)
    services = dict.fromkeys(name for _, name in targets.services)
    return [
        *(_selected("Pod", f"metadata.name={name}") for name in list(pods)[:MAX_NAMES]),
        *(
            _selected(kind, f"metadata.name={name}")
            for name in list(services)[:MAX_NAMES]
            for kind in ("Service", "Deployment", "StatefulSet")
        ),
    ]


def _round_one(targets: Targets, namespaces: Sequence[str]) -> list[Question]:
    questions = [_list(kind, place) for place in namespaces[:MAX_NAMESPACES] for kind in NAMESPACED]
    questions.append(_list("Node"))
    for node in targets.nodes[:MAX_NODES]:
        questions += _node_questions(node)
    if not namespaces and not targets.nodes:
        questions += [_list("Pod"), _selected("Event", "type=Warning")]
    return questions


def _node_questions(node: str) -> list[Question]:
    about = f"involvedObject.kind=Node,involvedObject.name={node}"
    return [_selected("Pod", f"spec.nodeName={node}"), _selected("Event", about)]


def _other_events(known: Known) -> list[Question]:
    """Return the questions for events by their other API, where the first one was refused."""
    return [
        Question(resource=GROUPED_EVENTS, namespace=answer.question.namespace)
        for answer in known.found
        if answer.kind == "Event" and answer.is_refused and answer.question.namespace
    ]


def _of_nodes(focus: Focus, seen: Iterable[Seen]) -> list[Question]:
    """Return what else to ask of nodes that the alerts mean, or that ail and have their pods."""
    nodes = [each for each in seen if each.key[0] == "Node" and focus.has(each.key)]
    nodes = [each for each in nodes if each.sight.problems or focus.is_named_node(each.item)]
    asked = {answer.question.text for answer in focus.known.found}
    questions = [
        question for each in nodes[:MAX_NODES] for question in _node_questions(each.key[2])
    ]
    return [each for each in questions if each.text not in asked]


def _classes(known: Known) -> list[Question]:
    """Return the questions for what claims and Ingresses refer to, where there are some."""
    claims = known.all("PersistentVolumeClaim")
    pending = any(text(each, "status", "phase") == "Pending" for each in claims)
    classed = any(text(each, "spec", "ingressClassName") for each in known.all("Ingress"))
    return [
        *([_list("StorageClass")] if pending else []),
        *([_list("IngressClass")] if classed else []),
    ]

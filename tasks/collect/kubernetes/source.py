"""The Kubernetes source: lists what is around the alerts, then asks for what these lists lack."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from opssage.evidence import Evidence, SourceReport, SourceStatus
from tasks.collect.kubernetes.absences import absences, config_map_questions
from tasks.collect.kubernetes.api import SOURCE, Found, KubernetesApi
from tasks.collect.kubernetes.clock import MAX_AHEAD, by_our_clock
from tasks.collect.kubernetes.cut_lists import (
    MAX_NAMED,
    events_about,
    narrower,
    troubled,
    unlisted,
)
from tasks.collect.kubernetes.events import events, read_events
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.logs import log_questions, logs
from tasks.collect.kubernetes.objects import Seen, ailing_pods, objects, seen_in
from tasks.collect.kubernetes.questions import (
    GROUPED_EVENTS,
    NAME,
    NAMESPACE,
    RESOURCES,
    WARNINGS,
    Question,
    can_be_named,
)
from tasks.collect.kubernetes.revisions import changes, rollout_times
from tasks.collect.kubernetes.sight import (
    text,
)
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


class KubernetesSource:
    """Asks an API server about the objects around the alerts."""

    name = SOURCE

    def __init__(self, upstream: Upstream, *, log_lines: int) -> None:
        """Ask there, and for at most `log_lines` of the log of one container."""
        self._api = KubernetesApi(upstream)
        self._log_lines = log_lines

    def ask(self, scope: Scope, deadline: float) -> Answer:
        """Ask in rounds: where it is, what is there, what cut lists lack, what all this leads to.

        Names that no object can have lead to no question, not to questions about everything.
        """
        targets, odd = _named_rightly(scope.targets)
        if odd and targets.is_nowhere:
            return Answer(reports=tuple(odd))
        namespaces, located = self._namespaces(targets, deadline)
        if located and all(answer.is_refused for answer in located):
            return Answer(reports=(*odd, *(answer.report for answer in located)))
        first = self._api.run(_lists(targets, namespaces, by_name=bool(odd)), deadline)
        notes = [*odd, *_left_out(namespaces)]
        if all(answer.is_refused for answer in first):
            return _answer(notes, (*located, *first))
        focus = _focus(targets, scope, (*located, *first))
        notes += _too_many(focus)
        for questions in (_instead, troubled, partial(self._leads, scope)):
            focus = self._further(focus, questions(focus), scope, deadline)
        notes += _from_the_future(focus, scope)
        return _answer(notes, focus.known.found, _read(focus, scope))

    def _further(
        self, focus: Focus, questions: Sequence[Question], scope: Scope, deadline: float
    ) -> Focus:
        """Return what is known when these questions were asked as well."""
        asked = {answer.question.text for answer in focus.known.found}
        wanted = {each.text: each for each in questions if each.text not in asked}
        found = self._api.run(list(wanted.values()), deadline)
        return _focus(focus.targets, scope, (*focus.known.found, *found)) if found else focus

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

    def _leads(self, scope: Scope, focus: Focus) -> list[Question]:
        """Return the questions that what was seen leads to."""
        seen = seen_in(focus.known, ("Pod", "Node"))
        ailing = ailing_pods(focus, seen)
        return [
            *_of_nodes(focus, seen),
            *_classes(focus.known),
            *config_map_questions(focus, seen),
            *events_about(focus, ailing),
            *log_questions(ailing, scope, lines=self._log_lines),
        ]


def _focus(targets: Targets, scope: Scope, found: tuple[Found, ...]) -> Focus:
    known = Known(found=found, since=scope.window.start, now=scope.now)
    return Focus(targets=targets, alerts=scope.alerts, known=known)


def _answer(
    notes: Sequence[SourceReport], found: Sequence[Found], evidence: tuple[Evidence, ...] = ()
) -> Answer:
    return Answer(evidence=evidence, reports=(*notes, *(answer.report for answer in found)))


def _read(focus: Focus, scope: Scope) -> tuple[Evidence, ...]:
    """Return everything that the answers show, what is wrong first."""
    found = focus.known.found
    seen, told = seen_in(focus.known), read_events(found)
    return (
        *changes(focus, found, scope),
        *absences(focus, seen, found, told, scope),
        *objects(focus, seen, scope),
        *events(focus, told, scope),
        *logs(focus, [answer for answer in found if answer.question.is_log], scope),
    )


def _named_rightly(targets: Targets) -> tuple[Targets, list[SourceReport]]:
    """Return the targets whose names can be those of objects; the ledger tells of the others."""
    kept = Targets(
        namespaces=tuple(filter(NAMESPACE.fullmatch, targets.namespaces)),
        services=tuple(each for each in targets.services if can_be_named(*each)),
        pods=tuple(each for each in targets.pods if can_be_named(*each)),
        nodes=tuple(filter(NAME.fullmatch, targets.nodes)),
        jobs=targets.jobs,
        instances=targets.instances,
    )
    odd = dict.fromkeys(name for name in _names(targets) if name and name not in set(_names(kept)))
    if not odd:
        return kept, []
    told = ", ".join(f"“{name}”" for name in odd)
    return kept, [_skipped(f"no names of Kubernetes objects: {told}")]


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


def _too_many(focus: Focus) -> list[SourceReport]:
    left = unlisted(focus)[MAX_NAMED:]
    if not left:
        return []
    told = ", ".join(f"{kind} {name}" for kind, _, name in left)
    return [_skipped(f"more than {MAX_NAMED} names in cut lists, so not asked about {told}")]


def _from_the_future(focus: Focus, scope: Scope) -> list[SourceReport]:
    events_at = (event.last_at for event in read_events(focus.known.found))
    times = (*events_at, *rollout_times(focus.known))
    count = sum(by_our_clock(at, scope.now) is None for at in times)
    seconds = MAX_AHEAD.total_seconds()
    told = f"so many events and rollouts are more than {seconds:.0f} s ahead of this clock: {count}"
    return [_skipped(told)] if count else []


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


def _lists(targets: Targets, namespaces: Sequence[str], *, by_name: bool) -> list[Question]:
    """Return the first questions; `by_name`: an alert names a place, though none that can be."""
    questions = [_list(kind, place) for place in namespaces[:MAX_NAMESPACES] for kind in NAMESPACED]
    questions.append(_list("Node"))
    for node in targets.nodes[:MAX_NODES]:
        questions += _node_questions(node)
    if not namespaces and not targets.nodes and not by_name:
        questions += [_list("Pod"), _list("Event", **WARNINGS)]
    return questions


def _node_questions(node: str) -> list[Question]:
    about = f"involvedObject.kind=Node,involvedObject.name={node}"
    return [_selected("Pod", f"spec.nodeName={node}"), _selected("Event", about)]


def _instead(focus: Focus) -> list[Question]:
    """Return the questions in place of lists that were refused or cut."""
    return [*_other_events(focus.known), *narrower(focus)]


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
    return [question for each in nodes[:MAX_NODES] for question in _node_questions(each.key[2])]


def _classes(known: Known) -> list[Question]:
    """Return the questions for what claims and Ingresses refer to, where there are some."""
    claims = known.all("PersistentVolumeClaim")
    pending = any(text(each, "status", "phase") == "Pending" for each in claims)
    classed = any(text(each, "spec", "ingressClassName") for each in known.all("Ingress"))
    return [
        *([_list("StorageClass")] if pending else []),
        *([_list("IngressClass")] if classed else []),
    ]

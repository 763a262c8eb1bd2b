"""Questions to an API server and its answers, pages joined, every fault told in words.

Lists of one namespace NS (`?limit=250`, then also `&continue=`):

    /api/v1/namespaces/NS/{pods,events,services,persistentvolumeclaims,resourcequotas,limitranges}
    /apis/apps/v1/namespaces/NS/{deployments,replicasets,statefulsets,daemonsets,controllerrevisions}
    /apis/batch/v1/namespaces/NS/{jobs,cronjobs}
    /apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers
    /apis/discovery.k8s.io/v1/namespaces/NS/endpointslices
    /apis/networking.k8s.io/v1/namespaces/NS/{ingresses,networkpolicies}
    /apis/events.k8s.io/v1/namespaces/NS/events         where the other events are refused

Lists of the cluster, with the same parameters:

    /api/v1/nodes
    /api/v1/pods                                        when the alerts name no place
    /api/v1/pods?fieldSelector=spec.nodeName=NODE
    /api/v1/events?fieldSelector=type=Warning           when the alerts name no place
    /api/v1/events?fieldSelector=involvedObject.kind=Node,involvedObject.name=NODE
    /api/v1/{pods,services}?fieldSelector=metadata.name=NAME    where no namespace is known
    /apis/apps/v1/{deployments,statefulsets}?fieldSelector=metadata.name=NAME      likewise
    /apis/storage.k8s.io/v1/storageclasses              when a volume claim waits
    /apis/networking.k8s.io/v1/ingressclasses           when there are ingresses

Lists of one page, where a list of that kind was cut (more than four pages, or one that is too
large), in the namespace NS or, for alerts that name no place, in the cluster:

    any of the above?fieldSelector=metadata.name=NAME   what the alerts name and was not in the list
    /api/v1/namespaces/NS/pods?fieldSelector=metadata.name=POD      pods that warnings tell of
    /api/v1/namespaces/NS/pods?fieldSelector=status.phase!=Running,status.phase!=Succeeded
    /api/v1/namespaces/NS/pods?labelSelector=SELECTOR   of the alerts' workloads; and their history:
    /apis/apps/v1/namespaces/NS/{replicasets,controllerrevisions}?labelSelector=SELECTOR
    /api/v1/namespaces/NS/events?fieldSelector=reason=BackOff
    /api/v1/namespaces/NS/events?fieldSelector=involvedObject.kind=KIND,involvedObject.name=NAME
        (events.k8s.io has `regarding` for `involvedObject`)

Single things:

    /api/v1/namespaces/NS/configmaps/NAME               metadata only, by the Accept header
    /api/v1/namespaces/NS/pods/POD/log?container=C&tailLines=N&limitBytes=262144&timestamps=true
        and &previous=true, or &sinceTime=TIME

How many at most: 12 lists to find a namespace; 17 of each of 3 namespaces, and 7 of nodes (or 3 of
the cluster). In place of lists that were refused, 3; for lists that were cut, 10 by name, 6 of
workloads, 6 by state, 5 of pods that warnings tell of, and 8 of events. Then 6 of nodes' pods and
events, 2 of classes, 10 ConfigMaps and 10 logs. A list has at most four pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any

from opssage.errors import SourceError
from opssage.evidence import SourceReport, SourceStatus
from tasks.collect.concurrency import run_all
from tasks.collect.kubernetes.questions import Question
from tasks.collect.tape import settled
from tasks.collect.upstream import RefusedError, UnreachableError, Upstream

SOURCE = "kubernetes"
WORKERS = 6
PAGE = 250  #: objects; a page of pods has a megabyte or two

Document = Mapping[str, Any]

_METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
"""Asks for an object without its content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What came of a question."""

    question: Question
    report: SourceReport
    items: tuple[Document, ...] = ()
    text: str = ""  #: of a log
    is_complete: bool = False  #: what is not among the items is not there
    is_cut: bool = False  #: there may be more than could be read

    @property
    def kind(self) -> str:
        """The kind of the items."""
        return self.question.resource.kind

    @property
    def is_refused(self) -> bool:
        """True when nothing was learned."""
        return self.report.status in {SourceStatus.FAILED, SourceStatus.SKIPPED}


@dataclass(slots=True)
class _Contact:
    """Whether the server has answered in this round, and why it makes no sense to ask on."""

    answered: bool = False
    lost: str = ""


class KubernetesApi:
    """An API server. Safe to use from several threads."""

    def __init__(self, upstream: Upstream) -> None:
        """Ask there."""
        self._upstream = upstream

    def run(self, questions: Sequence[Question], deadline: float) -> tuple[Found, ...]:
        """Return an answer per question, in their order, whatever became of it.

        Once the server is known to be away, or not to know us, no more is asked.
        """
        contact = _Contact()
        calls = [partial(self._ask, question, contact, deadline) for question in questions]
        answers = run_all(calls, workers=WORKERS, deadline=deadline)
        return tuple(
            answer or _unanswered(question, SourceStatus.FAILED, "no answer before the deadline")
            for question, answer in zip(questions, answers, strict=True)
        )

    def _ask(self, question: Question, contact: _Contact, deadline: float) -> Found:
        if lost := settled("spared", contact.lost, usual=""):
            return _unanswered(question, SourceStatus.SKIPPED, f"not asked: {lost}")
        began = monotonic()
        try:
            found = self._fetch(question, deadline)
        except RefusedError as error:
            contact.answered = True
            if error.status == HTTPStatus.UNAUTHORIZED:
                contact.lost = _UNKNOWN_TO_SERVER
            found = _refused(question, error)
        except SourceError as error:
            if isinstance(error, UnreachableError) or not contact.answered:
                contact.lost = "the API server did not answer another question"
            found = _unanswered(question, SourceStatus.FAILED, str(error))
            found = replace(found, is_cut=not isinstance(error, UnreachableError))
        else:
            contact.answered = True
        return _timed(found, began)

    def _fetch(self, question: Question, deadline: float) -> Found:
        if question.is_log:
            reply = self._upstream.get_text(question.path, question.params, deadline)
            return _found(question, text=str(reply.body), size=reply.size)
        if question.name:
            reply = self._upstream.get(question.path, question.params, deadline, headers=_METADATA)
            return _found(question, items=(_object(reply.body),), size=reply.size)
        return self._pages(question, deadline)

    def _pages(self, question: Question, deadline: float) -> Found:
        params = {**question.params, "limit": str(PAGE)}
        items: list[Document] = []
        size = 0
        for _ in range(question.most_pages):
            try:
                reply = self._upstream.get(question.path, params, deadline)
            except SourceError as error:
                if not items:
                    raise
                return _found(question, items=tuple(items), size=size, cut=str(error))
            size += reply.size
            page, more = _page(reply.body, question.resource.kind)
            items += page
            if not more:
                return _found(question, items=tuple(items), size=size)
            params["continue"] = more
        cut = f"the first {len(items)} of more"
        return _found(question, items=tuple(items), size=size, cut=cut)


def _page(body: Any, kind: str) -> tuple[list[Document], str]:
    """Return the objects of a page, each with its kind, and what asks for the next page."""
    document = _object(body)
    items = document.get("items") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SourceError("the answer does not have the form of a list of objects")
    more = (document.get("metadata") or {}).get("continue") or ""
    return [{"kind": kind, **item} for item in items], str(more)


def _object(body: Any) -> Document:
    if not isinstance(body, dict):
        raise SourceError("the answer does not have the form of a Kubernetes object")
    return body


def _found(
    question: Question,
    *,
    items: tuple[Document, ...] = (),
    text: str = "",
    size: int,
    cut: str = "",
) -> Found:
    report = SourceReport(
        source=SOURCE,
        status=SourceStatus.OK if items or text else SourceStatus.EMPTY,
        query=question.text,
        error=cut,
        size=size,
        truncated=bool(cut),
        by_hand=question.by_hand if cut else "",
    )
    return Found(
        question=question,
        report=report,
        items=items,
        text=text,
        is_complete=not cut,
        is_cut=bool(cut),
    )


_UNKNOWN_TO_SERVER = (
    "the API server does not accept the credentials: check sources.kubernetes.config"
)


def _refused(question: Question, error: RefusedError) -> Found:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return _unanswered(question, SourceStatus.FAILED, _UNKNOWN_TO_SERVER)
    if error.status == HTTPStatus.FORBIDDEN:
        return _unanswered(question, SourceStatus.FAILED, _forbidden(question))
    if error.status == HTTPStatus.NOT_FOUND:
        # A missing object is told by a Status document, a missing API group in plain text.
        is_object = isinstance(error.body, dict)
        resource = question.resource
        told = "it does not exist" if is_object else _NOT_SERVED.format(resource=resource)
        return _empty(question, told, is_complete=is_object)
    if question.is_log and error.status == HTTPStatus.BAD_REQUEST:
        return _empty(question, _message(error), is_complete=False)
    return _unanswered(question, SourceStatus.FAILED, str(error))


_NOT_SERVED = "this cluster does not serve {resource.plural} of {resource.version}"


def _message(error: RefusedError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error)


def _forbidden(question: Question) -> str:
    group, plural, verb = question.permission
    where = f" in namespace {question.namespace}" if question.namespace else ""
    of_group = f" of API group `{group}`" if group else ""
    return f"cannot {verb} {plural}{where}: grant `{verb}` on `{plural}`{of_group}"


def _empty(question: Question, told: str, *, is_complete: bool) -> Found:
    report = SourceReport(source=SOURCE, status=SourceStatus.EMPTY, query=question.text, error=told)
    return Found(question=question, report=report, is_complete=is_complete)


def _unanswered(question: Question, status: SourceStatus, told: str) -> Found:
    report = SourceReport(
        source=SOURCE,
        status=status,
        query=question.text,
        error=told,
        by_hand=question.by_hand,
    )
    return Found(question=question, report=report)


def _timed(found: Found, began: float) -> Found:
    seconds = round(monotonic() - began, 3)
    return replace(found, report=replace(found.report, duration_seconds=seconds))

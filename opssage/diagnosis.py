"""What diagnose answers: findings, hypotheses and the report made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The answer in one word."""

    FAULT = "fault"
    HEALTHY = "healthy"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Evidence interpreted: a signal seen on a component."""

    signal: str  #: a name of the signal table, e.g. `log.config_invalid`
    component: str  #: `service/checkout`, `node/worker-3` …
    strength: float  #: 0–1
    statement: str
    evidence_ids: tuple[str, ...]
    onset_at: datetime | None = None
    about: str | None = None  #: the called component it complains of; None: its own component
    details: Mapping[str, str] = field(
        default_factory=dict
    )  #: names read off the evidence: variable, host, pod …


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspicion:
    """A cause that the evidence alone makes likely."""

    cause: str  #: a name of the cause catalogue
    category: str
    component_kind: str  #: service, pod, node …
    probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Impression:
    """What the evidence alone suggests: what knowledge and history are looked up by."""

    suspicions: tuple[Suspicion, ...] = ()  #: the likeliest first
    signals: tuple[str, ...] = ()  #: what is clearly out of order, by name, each once and in order


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """A statement and the evidence that shows it."""

    evidence_id: str
    statement: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """A possible cause, what speaks for it and what against."""

    cause: str  #: a name of the cause catalogue
    component: str
    title: str
    category: str
    probability: float
    supports: tuple[Citation, ...] = ()
    refutes: tuple[Citation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """Something to do, safe to read out at 3 a.m."""

    action: str
    risk: str = "low"  #: low | medium | high
    command: str = ""
    verify: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remediation:
    """What to do now and later."""

    short_term_actions: tuple[Action, ...] = ()
    long_term_actions: tuple[Action, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierAnswer:
    """What an earlier revision of the same incident came to."""

    revision: int
    verdict: Verdict
    root_cause: str
    confidence_score: float  #: 0–1


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """The result of diagnose."""

    verdict: Verdict
    root_cause: str
    confidence_score: float  #: 0–1
    reasoning_steps: tuple[str, ...]
    supporting_evidence: tuple[Citation, ...]
    recommended_remediation: Remediation
    category: str
    root_cause_component: str | None
    engine: str
    engine_version: str
    hypotheses: tuple[Hypothesis, ...] = ()
    propagation: tuple[str, ...] = ()  #: the root, then whom it harms, nearest first
    next_checks: tuple[str, ...] = field(default=())
    cause: str | None = None  #: a name of the cause catalogue; None without a verdict
    owner: str | None = None  #: whose the root component is, where the topology file says so
    earlier: EarlierAnswer | None = None  #: the last with a verdict, where this one has none


_CERTAINTY = ((0.8, "high"), (0.5, "medium"), (0.0, "low"))


def certainty(confidence: float) -> str:
    """Return the word for a confidence from 0 to 1."""
    return next(word for least, word in _CERTAINTY if confidence >= least)

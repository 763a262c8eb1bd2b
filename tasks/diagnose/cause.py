"""What a row of the cause catalogue says, and the scale its weights are taken from.

The weights are likelihood ratios set by experts: how much more often a sign is seen when the cause
holds than when it does not. Their steps are the grades of Kass and Raftery, "Bayes Factors",
Journal of the American Statistical Association 90 (1995), each at the geometric middle of its
grade. They are not fitted to data, so probabilities made of them are not calibrated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from opssage.diagnosis import Action
from tasks.diagnose.scene import Where

SLIGHT = 1.7
"""Not worth more than a bare mention: 1 to 3."""
POSITIVE = 8.0
"""3 to 20."""
STRONG = 55.0
"""20 to 150."""
VERY_STRONG = 400.0
"""Above 150: the evidence says the cause in so many words."""

COMMON = 1 / 30
OCCASIONAL = 1 / 60
RARE = 1 / 150
"""Odds of a cause before any evidence, against everything that is not in the catalogue."""


class Fact(StrEnum):
    """What the signs of a cause show. Signs of one fact are views of the same thing."""

    TOLD = "told"
    """The cause itself, in a state, a level or a line that words it."""
    SAYS = "says"
    """The cause in a line, where `TOLD` is a level."""
    HARM = "harm"
    """That something does not work, where the cause is nothing without it."""
    EFFECT = "effect"
    """That something does not work."""
    STRAIN = "strain"
    """That the load is too much."""
    CHANGE = "change"
    GROWTH = "growth"
    LOAD = "load"
    NEAR = "near"
    """Use that comes near a limit."""
    HOG = "hog"
    UNLIMITED = "unlimited"
    DOWN = "down"
    SLOW = "slow"
    ACCUSED = "accused"
    """What callers say."""
    SERVES = "serves"
    CALM = "calm"
    OVER = "over"
    AGAINST = "against"
    """Whatever does not fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """A signal that speaks for a cause (ratio above 1) or against it (below 1)."""

    signal: str  #: a name of the signal tables; `log.*` stands for all log signals
    ratio: float  #: likelihood ratio at full strength
    fact: Fact  #: of the signs of one fact only the strongest counts
    where: Where = Where.SELF


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A row of the catalogue.

    Texts may use what findings capture (`{variable}`, `{host}`, `{pod}` …) and `{component}`,
    `{name}`, `{namespace}`. Of the titles the first whose names are all known is taken.
    """

    name: str
    category: str
    kinds: tuple[str, ...]  #: kinds of component it can befall: service, pod, node, incident
    titles: tuple[str, ...]
    prior: float  #: odds
    needs: tuple[Fact, ...]  #: facts without a clear sign of which the cause is not considered
    signs: tuple[Sign, ...]
    now: tuple[Action, ...] = ()
    later: tuple[Action, ...] = ()
    flows_down: bool = False  #: it also harms what the component calls
    explains: bool = True  #: False: it says where the trouble is, and not why
    next_checks: tuple[str, ...] = ()  #: what would tell it from its neighbours


def either(fact: Fact, ratio: float, *signals: str, where: Where = Where.SELF) -> tuple[Sign, ...]:
    """Return signs that show one fact, each with the same weight."""
    return tuple(Sign(signal=each, ratio=ratio, where=where, fact=fact) for each in signals)


def unless(ratio: float, *signals: str, where: Where = Where.SELF) -> tuple[Sign, ...]:
    """Return signs that speak against a cause as strongly as `ratio` would speak for it."""
    return either(Fact.AGAINST, 1 / ratio, *signals, where=where)


Shown = tuple[Fact, Where | None]
"""A fact; what speaks against a cause is one fact for each place it is seen at."""


def facts(cause: Cause) -> Iterator[tuple[Shown, tuple[Sign, ...]]]:
    """Yield the facts of a cause with their signs."""
    groups: dict[Shown, list[Sign]] = {}
    for sign in cause.signs:
        place = sign.where if sign.fact is Fact.AGAINST else None
        groups.setdefault((sign.fact, place), []).append(sign)
    for fact, signs in groups.items():
        yield fact, tuple(signs)


_RESTARTING = ("state.crash_loop", "metric.restarts")
CRASHING = (*_RESTARTING, "state.replicas_unavailable", "state.job_failed")
"""How a container that cannot run shows."""

BROKEN = (
    *_RESTARTING,
    "metric.target_down",
    "metric.error_ratio_rise",
    "metric.latency_rise",
    "log.server_error",
    "log.exception",
)
"""How a service that does not work shows, beyond what every rollout does to its replicas."""

NOT_UP = ("state.not_ready", "state.rollout_stuck", "state.job_failed", "state.no_endpoints")
"""How pods that do not come up, or do not get their work done, show."""

HARM = (*BROKEN, "state.replicas_unavailable", *NOT_UP)
"""How a service that does not work shows."""

ACCUSATIONS = (
    "metric.edge_errors",
    "log.upstream_error",
    "log.connection_refused",
    "log.connection_reset",
    "log.timeout",
    "log.slow_call",
)
"""What callers say of a service that does not work."""

MECHANISMS = (
    "state.image_pull",
    "state.config_error",
    "state.start_error",
    "state.object_missing",
    "state.security_refused",
    "state.limit_too_small",
    "state.sandbox_failed",
    "state.oom_killed",
    "state.evicted",
    "state.storage_limit_exceeded",
    "state.unschedulable*",
    "state.volume_*",
    "state.storage_class_missing",
    "state.quota*",
    "state.limit_range",
    "state.webhook_failing",
    "state.admission_denied",
    "state.selector_mismatch",
    "state.ingress_class_missing",
    "state.backend_missing",
    "log.config_invalid",
    "log.env_missing",
    "log.object_missing",
    "log.command_not_found",
    "log.port_in_use",
    "log.image_pull",
    "log.schema_mismatch",
    "log.tls_expired",
    "log.tls_invalid",
    "log.auth_signature",
    "log.auth_failed",
    "log.oom",
    "log.gc_pressure",
    "log.split_brain",
    "log.disk_full",
    "log.too_many_files",
    "log.pool_exhausted",
    "log.quota",
    "log.deadlock",
    "log.lock_timeout",
    "log.dns_failure",
    "log.rate_limited",
    "metric.cpu_saturated",
    "metric.volume_full",
)
"""Signals that tell how something fails, so that no unspecific cause needs to be assumed."""

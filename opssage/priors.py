"""What people's judgements say of causes: counts, and how much they move a diagnosis.

A count is of a component in a namespace and a cause. The last judgement of each diagnosis counts.
"""

from dataclasses import dataclass
from math import log

CAP = 1.0
"""Nats. Counts make a cause at most 2.7 times as likely, or as unlikely: evidence decides."""
_HELD_BEFORE = 2
"""As if each cause had been confirmed and rejected so often already: one judgement says little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseCount:
    """How often people said that it was this cause, and that it was not."""

    namespace: str  #: of the incidents; empty: they name none
    component: str  #: as a diagnosis names it: `service/checkout`, `node/worker-3`
    cause: str  #: a name of the cause catalogue
    confirmed: int = 0
    rejected: int = 0

    @property
    def weight(self) -> float:
        """What is added to the log-odds of the cause there, in nats.

        log((confirmed + 2) / (rejected + 2)), from -1 to 1.
        """
        odds = (self.confirmed + _HELD_BEFORE) / (self.rejected + _HELD_BEFORE)
        return round(max(-CAP, min(CAP, log(odds))), 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Priors:
    """The counts, and which they are."""

    version: int = 0  #: moves with every change of what they are made of
    counts: tuple[CauseCount, ...] = ()  #: in order of namespace, component and cause

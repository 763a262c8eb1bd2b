"""What a Prometheus has: which metrics exist there, and how their labels are spelled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OF_OBJECTS = "kube_"
"""The prefix of kube-state-metrics: its series are about other things than what is scraped."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "a service mesh": ("istio_", "response_total"),
    "cAdvisor": ("container_",),
    "kube-state-metrics": (_OF_OBJECTS,),
    "node-exporter": ("node_",),
}
"""Who reports → how the names of its metrics begin."""

OBJECT_LABELS = ("namespace", "pod", "container", "service", "node", "job_name", "endpoint")
"""Labels of objects that a scraper that does not honour labels puts its own in the place of."""

_EXPORTED = "exported_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What is known of a Prometheus; without any knowledge all usual questions are asked."""

    metrics: frozenset[str] | None = None  #: that exist; None when nobody knows
    labels: frozenset[str] = frozenset()  #: on any series, as far as known
    request_labels: frozenset[str] | None = None  #: on metrics of requests; None: nobody knows
    exported: frozenset[str] = frozenset()
    """Labels of kube-state-metrics that are found with `exported_` in front."""

    def may_have(self, metrics: frozenset[str]) -> bool:
        """Say whether these metrics exist, or nobody knows."""
        return self.metrics is None or metrics <= self.metrics

    def spelled(self, text: str, metrics: frozenset[str]) -> str:
        """Return the label or the query on `metrics` with labels as they are spelled here."""
        if not self.exported or not all(name.startswith(_OF_OBJECTS) for name in metrics):
            return text
        return _words(self.exported).sub(lambda match: _EXPORTED + match[0], text)

    @property
    def missing_families(self) -> tuple[str, ...]:
        """Who reports nothing here, as far as is known."""
        names = self.metrics
        if names is None:
            return ()
        return tuple(
            family
            for family, prefixes in FAMILIES.items()
            if not any(name.startswith(prefixes) for name in names)
        )


def exported_as(label: str) -> str:
    """Return the name of a label whose place the scraper has taken."""
    return _EXPORTED + label


def _words(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")


def own_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels of a series with those of the object in the plain places."""
    exported = {
        name.removeprefix(_EXPORTED): value
        for name, value in labels.items()
        if name.startswith(_EXPORTED)
    }
    return {**labels, **exported} if exported else labels

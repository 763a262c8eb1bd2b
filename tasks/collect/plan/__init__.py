"""The query plan: which signals are read, from which metrics, for which places.

A new query is one row in the file of its kind of place. The PromQL stays within selectors, rate and
increase, sum/max/avg/min/count by, histogram_quantile and arithmetic. The names of metrics are
those that the exporters document.
"""

from tasks.collect.plan.cluster import CLUSTER
from tasks.collect.plan.dependencies import DEPENDENCIES
from tasks.collect.plan.monitoring import MONITORING
from tasks.collect.plan.nodes import MORE_OF_NODES, NODES
from tasks.collect.plan.pods import CHANGES, MORE_OF_PODS, PODS
from tasks.collect.plan.processes import PROCESSES, UP
from tasks.collect.plan.serving import ALTERNATIVES, SERVING
from tasks.collect.plan.storage import MORE_OF_STORAGE, STORAGE
from tasks.collect.plan.tolerances import FIXED
from tasks.collect.questions import Row

ROWS: tuple[Row, ...] = (
    *SERVING,
    *ALTERNATIVES,
    *PODS,
    *NODES,
    *UP,
    *STORAGE,
    *CHANGES,
    *CLUSTER,
    *MORE_OF_PODS,
    *MORE_OF_NODES,
    *PROCESSES,
    *DEPENDENCIES,
    *MORE_OF_STORAGE,
    *MONITORING,
)
"""In order of importance: when an incident needs too many queries, the last are left out."""

SERVING_SIGNALS = frozenset({"request_rate", "error_ratio", "latency_p99", "edge_error_ratio"})
"""A name these are about answers requests."""

# The alert's own measured side; its label set decides what it is about. The tolerance is
# replaced by one in proportion to the threshold.
ALERT_SIGNAL = Row(
    signal="alert_signal",
    title="the alert's own signal",
    promql="",
    labels={},
    names=(),
    unit="",
    tolerance=FIXED,
    digits=6,  # it is compared with a threshold
)

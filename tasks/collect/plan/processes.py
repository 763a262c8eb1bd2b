"""Whatever is scraped: whether it answers, and what its process uses."""

from functools import partial

from tasks.collect.plan.tolerances import AMOUNT, BYTES, CORES, LATENCY, SWITCH, USED
from tasks.collect.questions import Row

_SCRAPED = "namespace, service, pod, job, instance"
_LABELS = {name: name for name in ("namespace", "service", "pod", "container", "job", "instance")}
_VAGUE = ({"instance": "instances"}, {"job": "jobs"})

_by_process = partial(
    Row,
    match=_VAGUE,
    labels={name: name for name in ("namespace", "pod", "job", "instance")},
    names=("instance",),
    plain=2,
)
# what only some runtimes have is small, so the whole namespace can be asked
_by_runtime = partial(
    _by_process, match=({"namespace": "namespaces"}, *_VAGUE), plain=0, usual=False
)

_MAX = "max by (namespace, pod, job, instance)"
_SUM = "sum by (namespace, pod, job, instance)"

UP: tuple[Row, ...] = (
    Row(
        signal="up",
        title="scrape success",
        promql=f"min by ({_SCRAPED}) (up{{$M}})",
        match=({"namespace": "namespaces"}, {"instance": "hosts"}, *_VAGUE),
        labels=_LABELS,
        names=("instance",),
        unit="",
        plain=2,
        tolerance=SWITCH,
    ),
    Row(
        signal="probe_success",
        title="success of the probe",
        promql="min by (namespace, job, instance) (probe_success{$M})",
        match=({"namespace": "namespaces"}, *_VAGUE),
        cluster=True,
        labels=_LABELS,
        names=("instance",),
        unit="",
        plain=2,
        tolerance=SWITCH,
        topic=("probe", "blackbox"),
        usual=False,
    ),
)

PROCESSES: tuple[Row, ...] = (
    _by_process(
        signal="process_cpu",
        title="CPU usage of the process",
        promql=f"{_MAX} (rate(process_cpu_seconds_total{{$M}}[2m]))",
        unit="cores",
        tolerance=CORES,
    ),
    _by_process(
        signal="process_memory",
        title="memory of the process",
        promql=f"{_MAX} (process_resident_memory_bytes{{$M}})",
        unit="bytes",
        tolerance=BYTES,
    ),
    _by_process(
        signal="process_files",
        title="use of file descriptors",
        promql=f"{_MAX} (process_open_fds{{$M}}) / {_MAX} (process_max_fds{{$M}})",
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="pool_pending",
        title="requests that wait for a database connection",
        promql=f"{_SUM} (hikaricp_connections_pending{{$M}})",
        unit="count",
        tolerance=AMOUNT,
    ),
    _by_runtime(
        signal="pool_use",
        title="use of the database connections",
        promql=f"{_SUM} (hikaricp_connections_active{{$M}})"
        f" / {_SUM} (hikaricp_connections_max{{$M}})",
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="pool_use",
        title="use of the database connections",
        promql=f"{_SUM} (go_sql_in_use_connections{{$M}})"
        f" / {_SUM} (go_sql_max_open_connections{{$M}})",
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="heap_use",
        title="use of the heap",
        promql=f'{_SUM} (jvm_memory_used_bytes{{area="heap",$M}})'
        f' / {_SUM} (jvm_memory_max_bytes{{area="heap",$M}})',
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="garbage_collection",
        title="share of time spent on garbage",
        promql=f"{_SUM} (rate(jvm_gc_pause_seconds_sum{{$M}}[2m]))",
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="threads_use",
        title="use of the request threads",
        promql=f"{_SUM} (tomcat_threads_busy_threads{{$M}})"
        f" / {_SUM} (tomcat_threads_config_max_threads{{$M}})",
        unit="ratio",
        tolerance=USED,
    ),
    _by_runtime(
        signal="event_loop_lag",
        title="lag of the event loop",
        promql=f"{_MAX} (nodejs_eventloop_lag_seconds{{$M}})",
        unit="seconds",
        tolerance=LATENCY,
    ),
    _by_runtime(
        signal="goroutines",
        title="goroutines",
        promql=f"{_MAX} (go_goroutines{{$M}})",
        unit="count",
        tolerance=AMOUNT,
    ),
)

"""Nodes and machines: use, saturation and errors of CPU, memory, disk and network."""

from functools import partial

from tasks.collect.plan.tolerances import AMOUNT, COUNT, LATENCY, USED
from tasks.collect.questions import Row

_by_host = partial(
    Row,
    match=({"instance": "hosts"},),
    labels={"node": "node", "instance": "instance", "mountpoint": "mountpoint"},
    names=("node",),
    unit="ratio",
    tolerance=USED,
)
_by_node = partial(
    Row,
    match=({"node": "nodes"},),
    labels={"node": "node"},
    names=("node",),
    unit="count",
    cluster=True,
    skip_zero=True,
)
_quiet = partial(_by_host, skip_zero=True, plain=0)

_HOST_MAX = "max by (instance, node)"
_HOST_SUM = "sum by (instance, node)"
_MOUNT_MAX = "max by (instance, node, mountpoint)"
_CONDITION_MAX = "max by (node, condition, status)"
_REAL_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'

NODES: tuple[Row, ...] = (
    _by_host(
        signal="node_cpu",
        title="CPU use",
        promql='1 - avg by (instance, node) (rate(node_cpu_seconds_total{mode="idle",$M}[2m]))',
        cluster=True,
    ),
    _by_host(
        signal="node_memory",
        topic=("node_memory",),
        title="memory use",
        promql=f"1 - {_HOST_MAX} (node_memory_MemAvailable_bytes{{$M}})"
        f" / {_HOST_MAX} (node_memory_MemTotal_bytes{{$M}})",
        cluster=True,
    ),
    _by_node(
        signal="node_condition",
        title="node condition",
        promql=_CONDITION_MAX
        + ' (kube_node_status_condition{condition="Ready",status!="true",$M})',
        tolerance=COUNT,
        reason="{condition}/{status}",
    ),
    _by_node(
        signal="node_condition",
        title="node condition",
        promql=_CONDITION_MAX
        + ' (kube_node_status_condition{condition!="Ready",status="true",$M})',
        tolerance=COUNT,
        reason="{condition}",
    ),
    _by_host(
        signal="node_disk",
        topic=("node_filesystem",),
        title="disk use",
        promql=f"1 - {_MOUNT_MAX} (node_filesystem_avail_bytes{{{_REAL_DISK},$M}})"
        f" / {_MOUNT_MAX} (node_filesystem_size_bytes{{{_REAL_DISK},$M}})",
        cluster=True,
    ),
)

MORE_OF_NODES: tuple[Row, ...] = (
    _by_host(
        signal="node_load",
        topic=("node_load",),
        title="load per core",
        promql=f"{_HOST_MAX} (node_load1{{$M}})"
        ' / count by (instance, node) (node_cpu_seconds_total{mode="idle",$M})',
        tolerance=AMOUNT,
        plain=2,
    ),
    _by_host(
        signal="node_disk_busy",
        topic=("node_disk",),
        title="share of time a disk is busy",
        promql=f"{_HOST_MAX} (rate(node_disk_io_time_seconds_total{{$M}}[2m]))",
        plain=2,
    ),
    _by_host(
        signal="node_inodes",
        topic=("node_filesystem_files",),
        title="inode use",
        promql=f"1 - {_MOUNT_MAX} (node_filesystem_files_free{{{_REAL_DISK},$M}})"
        f" / {_MOUNT_MAX} (node_filesystem_files{{{_REAL_DISK},$M}})",
        plain=0,
    ),
    _quiet(
        signal="node_network_drops",
        topic=("node_network",),
        title="dropped packets",
        promql=f"{_HOST_SUM} (rate(node_network_receive_drop_total{{$M}}[2m]))"
        f" + {_HOST_SUM} (rate(node_network_transmit_drop_total{{$M}}[2m]))",
        unit="per_second",
        tolerance=AMOUNT,
    ),
    _quiet(
        signal="node_network_errors",
        topic=("node_network",),
        title="network errors",
        promql=f"{_HOST_SUM} (rate(node_network_receive_errs_total{{$M}}[2m]))"
        f" + {_HOST_SUM} (rate(node_network_transmit_errs_total{{$M}}[2m]))",
        unit="per_second",
        tolerance=COUNT,
    ),
    _quiet(
        signal="node_oom_kills",
        topic=("node_vmstat",),
        title="processes out of memory within 5 minutes",
        promql=f"{_HOST_SUM} (increase(node_vmstat_oom_kill{{$M}}[5m]))",
        unit="count",
        tolerance=COUNT,
    ),
    *(
        _by_host(
            signal=f"node_{what}_pressure",
            title=f"share of time something waits for {word}",
            promql=f"{_HOST_MAX} (rate(node_pressure_{what}_waiting_seconds_total{{$M}}[2m]))",
            plain=0,
        )
        for what, word in (("cpu", "CPU"), ("memory", "memory"), ("io", "a disk"))
    ),
    _by_host(
        signal="node_conntrack",
        topic=("node_nf_conntrack",),
        title="use of the connection table",
        promql=f"{_HOST_MAX} (node_nf_conntrack_entries{{$M}})"
        f" / {_HOST_MAX} (node_nf_conntrack_entries_limit{{$M}})",
        plain=0,
    ),
    _by_host(
        signal="node_files",
        topic=("node_filefd",),
        title="use of file descriptors",
        promql=f"{_HOST_MAX} (node_filefd_allocated{{$M}})"
        f" / {_HOST_MAX} (node_filefd_maximum{{$M}})",
        plain=0,
    ),
    _by_host(
        signal="node_clock",
        topic=("node_timex",),
        title="clock offset",
        promql=f"{_HOST_MAX} (node_timex_offset_seconds{{$M}})",
        unit="seconds",
        tolerance=LATENCY,
        plain=0,
    ),
    _quiet(
        signal="node_raid",
        topic=("node_md",),
        title="failed disks of an array",
        promql=f'{_HOST_SUM} (node_md_disks{{state="failed",$M}})',
        unit="count",
        tolerance=COUNT,
    ),
    _quiet(
        signal="node_units",
        topic=("node_systemd",),
        title="failed system services",
        promql=f'{_HOST_SUM} (node_systemd_unit_state{{state="failed",$M}})',
        unit="count",
        tolerance=COUNT,
    ),
    _by_host(
        signal="node_cpu",
        title="CPU use",
        promql='1 - avg by (instance) (rate(windows_cpu_time_total{mode="idle",$M}[2m]))',
        usual=False,
    ),
    _by_host(
        signal="node_disk",
        title="disk use",
        promql="1 - max by (instance, volume) (windows_logical_disk_free_bytes{$M})"
        " / max by (instance, volume) (windows_logical_disk_size_bytes{$M})",
        labels={"instance": "instance", "volume": "mountpoint"},
        usual=False,
    ),
)

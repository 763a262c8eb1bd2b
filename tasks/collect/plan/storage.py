"""Volumes of pods, and storage clusters."""

from functools import partial

from tasks.collect.plan.pods import NAMESPACE
from tasks.collect.plan.tolerances import AMOUNT, COUNT, SWITCH, USED
from tasks.collect.questions import Row

_CLAIM_MAX = "max by (namespace, persistentvolumeclaim)"

_by_claim = partial(
    Row,
    match=(NAMESPACE,),
    labels={"namespace": "namespace", "persistentvolumeclaim": "pvc"},
    names=("pvc",),
    unit="ratio",
    tolerance=USED,
)
_of_ceph = partial(
    Row,
    topic=("ceph",),
    anywhere=True,
    usual=False,
    labels={"job": "job"},
    names=(),
    unit="count",
    tolerance=COUNT,
    plain=1,
)

STORAGE: tuple[Row, ...] = (
    _by_claim(
        signal="pvc_usage",
        topic=("kubelet_volume_stats", "kube_persistentvolume"),
        title="use",
        promql=f"1 - {_CLAIM_MAX} (kubelet_volume_stats_available_bytes{{$M}})"
        f" / {_CLAIM_MAX} (kubelet_volume_stats_capacity_bytes{{$M}})",
    ),
)

MORE_OF_STORAGE: tuple[Row, ...] = (
    _by_claim(
        signal="pvc_phase",
        topic=("kube_persistentvolume",),
        title="claims that are not bound",
        promql="max by (namespace, persistentvolumeclaim, phase)"
        ' (kube_persistentvolumeclaim_status_phase{phase=~"Pending|Lost",$M})',
        unit="count",
        tolerance=COUNT,
        reason="{phase}",
        skip_zero=True,
    ),
    _by_claim(
        signal="pvc_inodes",
        topic=("kubelet_volume_stats_inodes",),
        title="inode use",
        promql=f"1 - {_CLAIM_MAX} (kubelet_volume_stats_inodes_free{{$M}})"
        f" / {_CLAIM_MAX} (kubelet_volume_stats_inodes{{$M}})",
        plain=0,
    ),
    _of_ceph(
        signal="storage_health",
        title="health of Ceph (0 is well, 1 is a warning, 2 an error)",
        promql="max by (job) (ceph_health_status{$M})",
        tolerance=SWITCH,
        unit="",
    ),
    _of_ceph(
        signal="storage_down",
        title="disks of Ceph that are down",
        promql="count by (job) (ceph_osd_up{$M}) - sum by (job) (ceph_osd_up{$M})",
    ),
    _of_ceph(
        signal="storage_use",
        title="use of Ceph's disks",
        promql="max by (job) (ceph_cluster_total_used_bytes{$M})"
        " / max by (job) (ceph_cluster_total_bytes{$M})",
        unit="ratio",
        tolerance=USED,
    ),
    _of_ceph(
        signal="storage_degraded",
        title="placement groups of Ceph that lack copies",
        promql="sum by (job) (ceph_pg_degraded{$M})",
        tolerance=AMOUNT,
    ),
)

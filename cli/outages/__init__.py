"""Recorded outages, one YAML file each: what was seen, never why. `cli.replay` reads them.

Times are seconds relative to the moment the alerts arrive; numbers may be shapes
(`cli/replay/shapes.py`). A file has:

- `title`, and `from` … `until`: the recorded time
- `rules`, `alerts`, `notification`, `external_labels`: what fires, and how it is grouped
- `nodes`: address, size, and shares of `cpu`, `memory_used`, `disk_used`; `ready`
- `workloads`: per workload its `generations` (ReplicaSets; Jobs), and in each its pods by suffix
  with their node. `each` says what a container uses and is limited to: for the workload, a
  generation, or beside the node of a single pod
- `calls` through the mesh, `requests` counted by the applications, `series` only they have
- `volumes`, and `logs`: lines by rate (`per_minute`), times (`at`) or at container `starts`
- `events` of Kubernetes beside those that follow from the rest, by Pod, Deployment or Node, and
  `objects` that nothing else tells of, as in a manifest

Which metrics come of it stands in `cli/replay/exporters.yaml`; what Kubernetes has of it, in
`cli/replay/kubernetes/`.
"""

NAMES = ("crashloop", "node-cpu", "auth-cascade")
"""The outages, in the order in which `opssage demo` plays them: from one alert to four."""

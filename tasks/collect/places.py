"""Targets made complete: which pods run on a node, which nodes carry a namespace."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from opssage.places import host_of
from tasks.collect.targets import Targets

MAX_NODES = 20
MAX_PODS = 250  #: Kubernetes' own advice is at most 110 pods on a node
MAX_NEIGHBOURS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class PodInfo:
    """A line of kube_pod_info."""

    namespace: str
    pod: str
    node: str = ""
    owner_kind: str = ""
    owner: str = ""

    @property
    def workload(self) -> str:
        """What a person deployed: a ReplicaSet is named after its Deployment, plus a hash."""
        if self.owner_kind == "ReplicaSet":
            return self.owner.rpartition("-")[0]
        return "" if self.owner_kind in {"<none>", "Node"} else self.owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Values for the matchers of queries. Which label they go with is the plan's business."""

    namespaces: tuple[str, ...] = ()
    stray_services: tuple[str, ...] = ()  #: services whose namespace nobody knows
    node_pod_namespaces: tuple[str, ...] = ()
    node_pods: tuple[str, ...] = ()  #: on the nodes alerts name, outside `namespaces`
    bare_nodes: tuple[str, ...] = ()  #: named by alerts, pods unknown
    nodes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Names and addresses of `nodes` and of the machines of `instances`, as in instance labels."""
    instances: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    service_names: tuple[str, ...] = ()  #: of all services alerts name, and as `namespace/name`
    neighbour_namespaces: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()  #: services near those, outside `namespaces`
    stray_neighbours: tuple[str, ...] = ()  #: those whose namespace nobody knows
    pods: Mapping[tuple[str, str], PodInfo] = field(default_factory=dict)
    node_names: Mapping[str, str] = field(default_factory=dict)  #: host → node

    @property
    def is_nowhere(self) -> bool:
        """True when there is no place to ask about."""
        return not (self.namespaces or self.stray_services or self.hosts or self.instances)

    def with_neighbours(self, services: Iterable[tuple[str, str]]) -> "Places":
        """Return these places and the services (namespace or "", name) that are near them."""
        near = tuple(dict.fromkeys(services))[:MAX_NEIGHBOURS]
        outside = [item for item in near if item[0] and item[0] not in self.namespaces]
        here = {info.workload for info in self.pods.values() if info.namespace in self.namespaces}
        here.update(self.stray_services)
        return replace(
            self,
            neighbour_namespaces=_distinct(namespace for namespace, _ in outside),
            neighbours=_distinct(name for _, name in outside),
            stray_neighbours=_distinct(
                name for namespace, name in near if not namespace and name not in here
            ),
            service_names=_distinct((*self.service_names, *_job_names(near))),
        )

    def complete(self, subject: Mapping[str, str]) -> dict[str, str]:
        """Return the subject with the node and workload that are known of it."""
        known = dict(subject)
        info = self.pods.get((known.get("namespace", ""), known.get("pod", "")))
        if info is not None:
            known |= {
                key: value
                for key, value in (("node", info.node), ("workload", info.workload))
                if value and key not in known
            }
        return known

    def node_of(self, instance: str) -> str:
        """Return the node behind a node-exporter's instance label."""
        host = host_of(instance)
        return self.node_names.get(host, host)


def named_nodes(targets: Targets, node_names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the nodes the alerts name, addresses put into names where known."""
    machines = (host for instance in targets.instances if (host := host_of(instance)) in node_names)
    return _distinct(node_names.get(node, node) for node in (*targets.nodes, *machines))


def places_of(
    targets: Targets,
    *,
    of_targets: tuple[PodInfo, ...],
    on_nodes: tuple[PodInfo, ...],
    node_names: Mapping[str, str],
) -> Places:
    """Join what the alerts say with what kube_pod_info and kube_node_info say.

    `of_targets` are the pods of the alerts' namespaces, `on_nodes` those on the alerts' nodes;
    `node_names` maps addresses to nodes.
    """
    namespaces = targets.namespaces
    if any(not namespace for namespace, _ in (*targets.services, *targets.pods)) or targets.jobs:
        namespaces = _distinct((*namespaces, *(info.namespace for info in of_targets)))
    named = named_nodes(targets, node_names)
    beside = [info for info in on_nodes if info.namespace not in namespaces][:MAX_PODS]
    nodes = _distinct((*named, *_carrying(targets, of_targets)))[:MAX_NODES]
    return Places(
        namespaces=namespaces,
        stray_services=() if namespaces else _distinct(name for _, name in targets.services),
        node_pod_namespaces=_distinct(info.namespace for info in beside),
        node_pods=_distinct(info.pod for info in beside),
        bare_nodes=tuple(node for node in named if not any(info.node == node for info in on_nodes)),
        nodes=nodes,
        hosts=_hosts(nodes, targets.instances, node_names),
        instances=targets.instances,
        jobs=targets.jobs,
        service_names=_job_names(targets.services),
        pods={(info.namespace, info.pod): info for info in (*of_targets, *on_nodes)},
        node_names=node_names,
    )


def _hosts(
    nodes: Iterable[str], instances: Iterable[str], node_names: Mapping[str, str]
) -> tuple[str, ...]:
    addresses = {name: host for host, name in node_names.items()}
    machines = (host_of(instance) for instance in instances)
    named = (host for node in nodes for host in (node, addresses.get(node)))
    return _distinct(host for host in (*named, *machines) if host)


def _job_names(services: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return _distinct(
        text
        for namespace, name in services
        for text in (name, f"{namespace}/{name}" if namespace else name)
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _carrying(targets: Targets, pods: tuple[PodInfo, ...]) -> list[str]:
    """Return the nodes of these pods: those of the alerts' own pods first, then the fullest."""
    own = {pod for _, pod in targets.pods}
    services = {service for _, service in targets.services}
    weight: Counter[str] = Counter()
    for info in pods:
        is_own = info.pod in own or info.workload in services
        weight[info.node] += 1 + len(pods) * is_own
    return sorted((node for node in weight if node), key=lambda node: (-weight[node], node))

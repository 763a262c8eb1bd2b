"""Services, the endpoints behind them, Ingresses before them, and policies between."""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.sight import (
    Problem,
    Sight,
    labels_of,
    mapping,
    mappings,
    names,
    selects_by,
    text,
    told,
)

_SERVICE_NAME = "kubernetes.io/service-name"
_CLASS = "kubernetes.io/ingress.class"
_ENDED = ("Succeeded", "Failed")


def service(item: Document, known: Known) -> Sight:
    """Return a Service's state, and which workloads it leads to."""
    pods = chosen_pods(item, known)
    endpoints = _endpoints(item, known)
    facts = {
        "type": text(item, "spec", "type"),
        "external_name": text(item, "spec", "externalName"),
        "selector": mapping(item, "spec", "selector"),
        "ports": [_port(each) for each in mappings(item, "spec", "ports")],
        "pods": None if known.is_cut("Pod", text(item, "metadata", "namespace")) else len(pods),
        "endpoints": endpoints,
        "workloads": sorted({f"{kind}/{name}" for kind, _, name in map(known.owner, pods)}),
        "traffic_policy": mapping(item, "spec").get("internalTrafficPolicy"),
    }
    problems = tuple(_service_problems(item, known, pods, endpoints))
    return Sight(facts=told(facts), problems=problems)


def chosen_pods(item: Document, known: Known) -> list[Document]:
    """Return the pods a Service leads to, ready or not."""
    selector = mapping(item, "spec", "selector")
    if not selector:
        return []
    return [
        pod
        for pod in known.chosen_pods(text(item, "metadata", "namespace"), selector)
        if text(pod, "status", "phase") not in _ENDED
    ]


def _endpoints(item: Document, known: Known) -> dict[str, int] | None:
    """Return how many endpoints a Service has; None when that is not known."""
    namespace = text(item, "metadata", "namespace")
    if not known.lists_all("EndpointSlice", namespace):
        return None
    ready = {
        (address, bool(mapping(each, "conditions").get("ready", True)))
        for part in known.all("EndpointSlice", namespace)
        if labels_of(part).get(_SERVICE_NAME) == text(item, "metadata", "name")
        for each in mappings(part, "endpoints")
        for address in each.get("addresses") or ()
    }
    return {
        "ready": sum(is_ready for _, is_ready in ready),
        "not_ready": sum(not is_ready for _, is_ready in ready),
    }


def _service_problems(
    item: Document, known: Known, pods: list[Document], endpoints: Mapping[str, int] | None
) -> Iterator[Problem]:
    selector = mapping(item, "spec", "selector")
    if not selector:  # somebody else looks after its endpoints
        return
    namespace = text(item, "metadata", "namespace")
    if not pods and known.lists_all("Pod", namespace):
        wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        yield Problem(reason="SelectorMatchesNothing", message=f"no pod has {wanted}")
        return
    is_cut = known.is_cut("Pod", namespace)
    if endpoints is not None and not endpoints["ready"] and (pods or is_cut):
        none = "no pod" if is_cut else f"none of the {len(pods)} pods"
        yield Problem(reason="NoEndpoints", message=f"{none} is ready to be called")
    if is_cut or not pods:
        return
    for port in mappings(item, "spec", "ports"):
        wanted = text(port, "targetPort") or text(port, "port")
        exposed = [_exposed(pod) for pod in pods]
        if all(exposed) and not any(wanted in ports for ports in exposed):
            told_ports = ", ".join(names(port for ports in exposed for port in ports))
            message = f"port {text(port, 'port')} leads to {wanted}; its pods expose {told_ports}"
            yield Problem(reason="TargetPortMatchesNothing", message=message)


def _exposed(pod: Document) -> list[str]:
    """Return the names and numbers of the ports a pod tells of; telling is voluntary."""
    ports = [
        port
        for each in (*mappings(pod, "spec", "containers"), *mappings(pod, "spec", "initContainers"))
        for port in mappings(each, "ports")
    ]
    return names(found for port in ports for found in (port.get("name"), port.get("containerPort")))


def _port(port: Mapping[str, Any]) -> str:
    """Return a port of a Service: `http 80→8080/TCP`."""
    target = text(port, "targetPort") or text(port, "port")
    protocol = text(port, "protocol") or "TCP"
    return f"{text(port, 'name')} {text(port, 'port')}→{target}/{protocol}".strip()


def ingress(item: Document, known: Known) -> Sight:
    """Return an Ingress's state."""
    rules = mappings(item, "spec", "rules")
    backends = list(backends_of(item))
    facts = {
        "class": _class_of(item),
        "hosts": names(text(rule, "host") for rule in rules),
        "backends": names(f"{name}:{port}" if port else name for name, port in backends),
        "tls_secrets": names(text(each, "secretName") for each in mappings(item, "spec", "tls")),
        "addresses": names(
            text(each, "ip") or text(each, "hostname")
            for each in mappings(item, "status", "loadBalancer", "ingress")
        ),
    }
    return Sight(facts=told(facts), problems=tuple(_ingress_problems(item, known, backends)))


def _class_of(item: Document) -> str:
    return text(item, "spec", "ingressClassName") or text(item, "metadata", "annotations", _CLASS)


def backends_of(item: Document) -> Iterator[tuple[str, str]]:
    """Yield the name and the port of the Services an Ingress leads to."""
    paths = [
        path for rule in mappings(item, "spec", "rules") for path in mappings(rule, "http", "paths")
    ]
    defaults = [mapping(item, "spec", "defaultBackend")]
    for backend in (*(mapping(path, "backend") for path in paths), *defaults):
        target = mapping(backend, "service")
        port = mapping(target, "port")
        if target:
            yield text(target, "name"), text(port, "name") or text(port, "number")


def _ingress_problems(
    item: Document, known: Known, backends: list[tuple[str, str]]
) -> Iterator[Problem]:
    wanted = text(item, "spec", "ingressClassName")
    if wanted and known.lists_all("IngressClass") and known.get("IngressClass", "", wanted) is None:
        message = f"IngressClass {wanted} does not exist"
        yield Problem(reason="IngressClassNotFound", message=message)
    namespace = text(item, "metadata", "namespace")
    if not known.lists_all("Service", namespace):
        return
    for name, port in dict.fromkeys(backends):
        target = known.get("Service", namespace, name)
        if target is None:
            yield Problem(reason="ServiceNotFound", message=f"Service {name} does not exist")
        elif port and port not in _ports_of(target):
            message = f"Service {name} has no port {port}"
            yield Problem(reason="PortMatchesNothing", message=message)


def _ports_of(item: Document) -> set[str]:
    ports = mappings(item, "spec", "ports")
    return {text(port, key) for port in ports for key in ("name", "port")}


def network_policy(item: Document, known: Known) -> Sight:
    """Return what a NetworkPolicy lets through: with no rule for a direction, nothing."""
    spec = mapping(item, "spec")
    kinds = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    namespace = text(item, "metadata", "namespace")
    pods = [
        text(pod, "metadata", "name")
        for pod in known.all("Pod", namespace)
        if selects_by(mapping(spec, "podSelector"), labels_of(pod))
    ]
    facts = {
        "types": list(kinds),
        "default_deny": [kind for kind in kinds if not spec.get(str(kind).lower())],
        "selects_all": not mapping(spec, "podSelector"),
        "pods": None if known.is_cut("Pod", namespace) else len(pods),
        "rules": {
            key: [dict(each) for each in mappings(spec, key)] for key in ("ingress", "egress")
        },
    }
    return Sight(facts=told(facts))

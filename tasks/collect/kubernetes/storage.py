"""Volume claims, and the content a pod needs: ConfigMaps and Secrets, by existence only."""

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.pods import claims_of
from tasks.collect.kubernetes.sight import (
    Problem,
    Sight,
    conditions,
    mapping,
    moment,
    names,
    text,
    time_text,
    told,
)

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def volume_claim(item: Document, known: Known) -> Sight:
    """Return a PersistentVolumeClaim's state."""
    name, namespace = text(item, "metadata", "name"), text(item, "metadata", "namespace")
    phase = text(item, "status", "phase")
    users = [pod for pod in known.all("Pod", namespace) if name in claims_of(pod)]
    facts = {
        "phase": phase,
        "storage_class": text(item, "spec", "storageClassName"),
        "access_modes": mapping(item, "spec").get("accessModes"),
        "requested": text(item, "spec", "resources", "requests", "storage"),
        "capacity": text(item, "status", "capacity", "storage"),
        "volume": text(item, "spec", "volumeName"),
        "used_by": names(text(pod, "metadata", "name") for pod in users),
        "conditions": list(conditions(item)),
        "created_at": time_text(moment(item, "metadata", "creationTimestamp")),
    }
    problem = None
    if phase in {"Pending", "Lost"}:
        problem = _unbound(item, phase, known, is_wanted=bool(users))
    return Sight(facts=told(facts), problems=(problem,) if problem else ())


def _unbound(item: Document, phase: str, known: Known, *, is_wanted: bool) -> Problem | None:
    at = moment(item, "metadata", "creationTimestamp")
    wanted = mapping(item, "spec").get("storageClassName")
    storage = _class(wanted, known)
    if phase == "Lost":
        return Problem(reason="Lost", message="its volume is gone", at=at)
    if storage is None and wanted != "" and known.lists_all("StorageClass"):
        lacking = f'storageclass "{wanted}" not found' if wanted else "no default StorageClass"
        return Problem(reason="ProvisioningFailed", message=lacking, at=at)
    if text(storage, "volumeBindingMode") == "WaitForFirstConsumer" and not is_wanted:
        return None  # it is bound when a pod wants it
    return Problem(reason="Pending", message="no volume is bound to it", at=at)


def _class(name: str | None, known: Known) -> Document | None:
    if name is not None:
        return known.get("StorageClass", "", name)
    return next(
        (
            each
            for each in known.all("StorageClass")
            if text(each, "metadata", "annotations", _DEFAULT_CLASS) == "true"
        ),
        None,
    )

"""The Kubernetes of a recorded outage: objects, events and logs, and the API that answers them."""

from cli.replay.kubernetes.api import KubernetesApi

__all__ = ["KubernetesApi"]

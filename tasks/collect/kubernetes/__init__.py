"""The Kubernetes source: the state of objects, their events, their changes and their logs.

`source` asks in two rounds and puts together; `api` says what is asked and how; the other files
each read some kinds of object from the documents as the API server gives them.
"""

from tasks.collect.kubernetes.cleaning import clean_objects
from tasks.collect.kubernetes.connection import cluster
from tasks.collect.kubernetes.source import KubernetesSource

__all__ = ["KubernetesSource", "clean_objects", "cluster"]

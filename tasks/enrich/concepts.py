"""What operations people call the same thing: ways to say it, by runtimes, kernels and people.

A passage and an incident that say one thing in different words meet in its concept. The phrases are
common knowledge of the field: error names of runtimes, the C library, the kernel and Kubernetes,
and the everyday words for them. `benchmarks/retrieval.py` tells what they are worth.
"""

from collections.abc import Iterator, Mapping, Sequence

from tasks.enrich.words import words

CONCEPTS: Mapping[str, str] = {
    "memory": "out of memory; oom; oom killer; memory limit; memory pressure; heap space;"
    " MemoryError; cannot allocate memory; rss; resident set; working set; gc overhead limit;"
    " memory leak",
    "killed": "sigkill; exit code 137; signal 9; oom killed; killed process",
    "processor": "cpu; processor; cores; load average; run queue; cfs quota; cfs throttled",
    "disk": "disk; no space left; enospc; errno 28; filesystem; file system; volume; partition;"
    " inodes; flood stage; df; storage; mountpoint",
    "names": "dns; name resolution; no such host; nxdomain; servfail; eai again; getaddrinfo;"
    " UnknownHostException; could not resolve; cannot resolve; coredns; resolver; nslookup;"
    " hostnames; lookup",
    "refused": "connection refused; econnrefused; no route to host; ehostunreach;"
    " connection reset; econnreset; unreachable; unavailable; could not connect; cannot connect;"
    " failed to connect; dial tcp; nothing listens; backend down",
    "timeout": "timeout; timed out; etimedout; deadline exceeded; time budget",
    "server error": "5xx; 500; 502; 503; 504; server error; bad gateway; service unavailable;"
    " gateway timeout; error ratio; error rate",
    "tls": "tls; ssl; x509; certificate; cert; https; handshake; pkix; ca bundle; truststore;"
    " trust bundle; certificate authority; unknown authority; issuer",
    "expiry": "expired; expiry; expires; not after; validity; not yet valid; renew; renewal",
    "setting": "configuration; config; setting; environment variable; env; environ; configmap;"
    " secret; flag; option; invalid value; parse; unmarshal; yaml; KeyError",
    "restarts": "crash loop; back off; restarts; relaunched; respawned; exit code; exit status;"
    " exits; exited; terminated; dies",
    "probe": "liveness probe; readiness probe; startup probe; health check; healthcheck",
    "image": "image; ImagePullBackOff; ErrImagePull; registry; manifest; docker; layer;"
    " pull secret; tag; repository; artifact",
    "release": "deploy; deployment; rollout; release; canary; helm upgrade; new version; build;"
    " went live; replica set; roll back; promoted",
    "machine": "node; host; machine; vm; hypervisor; bare metal; instance",
    "agent": "kubelet; pleg; containerd; container runtime; node status; heartbeat; not ready",
    "pool": "connection pool; pool exhausted; QueuePool; hikari; pgbouncer; too many clients;"
    " too many connections; connection slots; max connections; idle in transaction; borrow;"
    " checked out",
    "limited": "rate limit; too many requests; toomanyrequests; 429; quota exceeded",
    "denied": "unauthorized; 401; 403; forbidden; credentials; access denied; permission denied;"
    " authentication failed",
    "slow": "latency; slow; response time; p99; p95; apdex; degraded",
    "load": "traffic; requests per second; request volume; request rate; load",
    "evicted": "evicted; eviction; rescheduled; drained",
    "dependency": "dependency; upstream; downstream; backend; called service; peer",
    "database": "database; postgres; postgresql; mysql; sql; db",
    "waiting": "pending; ContainerCreating; waiting; unschedulable",
}
"""Name of the concept → phrases for it, with semicolons between. Words of one stem are the same."""


_MARK = "~"  # no word has it


def concepts_in(stems: Sequence[str]) -> Iterator[str]:
    """Yield the concepts that a text speaks of, as often as it does."""
    for at, stem in enumerate(stems):
        for phrase, concept in _PHRASES.get(stem, ()):
            if tuple(stems[at : at + len(phrase)]) == phrase:
                yield concept


def is_concept(term: str) -> bool:
    """Tell a concept from a word."""
    return term.startswith(_MARK)


def _by_first_word() -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for name, phrases in CONCEPTS.items():
        for phrase in map(words, phrases.split(";")):
            found.setdefault(phrase[0], {})[phrase] = _MARK + name
    return {first: tuple(phrases.items()) for first, phrases in found.items()}


_PHRASES = _by_first_word()

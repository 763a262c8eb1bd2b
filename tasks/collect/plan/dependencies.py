"""Databases, caches, queues and proxies: how near each is to what it can do.

There are few of them, and what an alert is about may depend on one anywhere: so where their
exporters are found they are asked without regard to the place, and only what left its baseline is
kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tasks.collect.plan.tolerances import AMOUNT, COUNT, LATENCY, SWITCH, USED
from tasks.collect.questions import Row

_LABELS = {name: name for name in ("namespace", "job", "instance")}
_BY = "namespace, job, instance"
_SUM, _MAX, _MIN = (f"{name} by ({_BY})" for name in ("sum", "max", "min"))

_found = partial(
    Row,
    anywhere=True,
    usual=False,
    labels=_LABELS,
    names=("instance",),
    plain=0,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Product:
    """What is worth asking about one kind of server."""

    name: str
    topic: tuple[str, ...]
    shares: tuple[tuple[str, str, str, str], ...] = ()  #: signal, title, used, of how much
    counts: tuple[tuple[str, str, str], ...] = ()  #: signal, title, query: normally few
    events: tuple[tuple[str, str, str], ...] = ()  #: signal, title, counter: normally none
    lags: tuple[tuple[str, str, str], ...] = ()  #: signal, title, gauge in seconds
    health: tuple[tuple[str, str, str], ...] = ()  #: signal, title, gauge that is 1 when well

    def rows(self) -> Iterator[Row]:
        """Yield the queries."""
        row = partial(_found, topic=self.topic)
        for signal, what, query in self.health:
            promql = f"{_MIN} ({query})"
            yield row(signal=signal, title=what, promql=promql, unit="", tolerance=SWITCH)
        for signal, what, used, most in self.shares:
            promql = f"{_SUM} ({used}) / {_SUM} ({most})"
            yield row(signal=signal, title=what, promql=promql, unit="ratio", tolerance=USED)
        for signal, what, query in self.counts:
            promql = f"{_SUM} ({query})"
            yield row(signal=signal, title=what, promql=promql, unit="count", tolerance=AMOUNT)
        for signal, what, counter in self.events:
            promql = f"{_SUM} (increase({counter}[5m]))"
            yield row(
                signal=signal,
                title=f"{what} within 5 minutes",
                promql=promql,
                unit="count",
                tolerance=COUNT,
                skip_zero=True,
            )
        for signal, what, gauge in self.lags:
            promql = f"{_MAX} ({gauge})"
            yield row(signal=signal, title=what, promql=promql, unit="seconds", tolerance=LATENCY)


_PRODUCTS: tuple[_Product, ...] = (
    _Product(
        name="PostgreSQL",
        topic=("pg_", "postgres", "pgbouncer"),
        health=(("database_up", "PostgreSQL answers its exporter", "pg_up{$M}"),),
        shares=(
            (
                "database_connections",
                "use of PostgreSQL's connections",
                "pg_stat_activity_count{$M}",
                "pg_settings_max_connections{$M}",
            ),
        ),
        counts=(
            (
                "database_waiting",
                "clients that wait for a connection of PgBouncer",
                "pgbouncer_pools_client_waiting_connections{$M}",
            ),
        ),
        events=(("database_deadlocks", "deadlocks", "pg_stat_database_deadlocks{$M}"),),
        lags=(
            ("database_longest", "longest transaction", "pg_stat_activity_max_tx_duration{$M}"),
            ("database_lag", "lag of the replica", "pg_replication_lag_seconds{$M}"),
        ),
    ),
    _Product(
        name="MySQL",
        topic=("mysql", "mariadb"),
        health=(("database_up", "MySQL answers its exporter", "mysql_up{$M}"),),
        shares=(
            (
                "database_connections",
                "use of MySQL's connections",
                "mysql_global_status_threads_connected{$M}",
                "mysql_global_variables_max_connections{$M}",
            ),
        ),
        counts=(
            (
                "database_waiting",
                "running queries",
                "mysql_global_status_threads_running{$M}",
            ),
        ),
        events=(("database_slow", "slow queries", "mysql_global_status_slow_queries{$M}"),),
        lags=(
            (
                "database_lag",
                "lag of the replica",
                "mysql_slave_status_seconds_behind_master{$M}",
            ),
        ),
    ),
    _Product(
        name="Redis",
        topic=("redis",),
        health=(("cache_up", "Redis answers its exporter", "redis_up{$M}"),),
        shares=(
            (
                "cache_memory",
                "use of Redis' memory",
                "redis_memory_used_bytes{$M}",
                "redis_memory_max_bytes{$M}",
            ),
        ),
        counts=(
            ("cache_clients", "clients of Redis", "redis_connected_clients{$M}"),
            ("cache_blocked", "blocked clients of Redis", "redis_blocked_clients{$M}"),
        ),
        events=(
            ("cache_evictions", "keys thrown out", "redis_evicted_keys_total{$M}"),
            ("cache_rejected", "refused connections", "redis_rejected_connections_total{$M}"),
        ),
    ),
    _Product(
        name="Memcached",
        topic=("memcached",),
        health=(("cache_up", "memcached answers its exporter", "memcached_up{$M}"),),
        shares=(
            (
                "cache_connections",
                "use of memcached's connections",
                "memcached_current_connections{$M}",
                "memcached_max_connections{$M}",
            ),
        ),
        events=(("cache_evictions", "items thrown out", "memcached_items_evicted_total{$M}"),),
    ),
    _Product(
        name="Kafka",
        topic=("kafka",),
        counts=(
            ("queue_lag", "messages not yet consumed", "kafka_consumergroup_lag{$M}"),
            (
                "queue_degraded",
                "partitions that lack copies",
                "kafka_topic_partition_under_replicated_partition{$M}",
            ),
            (
                "queue_degraded",
                "partitions that lack copies",
                "kafka_server_replicamanager_underreplicatedpartitions{$M}",
            ),
        ),
    ),
    _Product(
        name="RabbitMQ",
        topic=("rabbitmq",),
        shares=(
            (
                "queue_memory",
                "use of RabbitMQ's memory",
                "rabbitmq_process_resident_memory_bytes{$M}",
                "rabbitmq_resident_memory_limit_bytes{$M}",
            ),
        ),
        counts=(
            ("queue_lag", "messages ready for consumers", "rabbitmq_queue_messages_ready{$M}"),
            (
                "queue_unacknowledged",
                "messages not acknowledged",
                "rabbitmq_queue_messages_unacked{$M}",
            ),
            ("queue_alarm", "memory alarms", "rabbitmq_alarms_memory_used_watermark{$M}"),
            ("queue_disk_alarm", "disk alarms", "rabbitmq_alarms_free_disk_space_watermark{$M}"),
        ),
    ),
    _Product(
        name="MongoDB",
        topic=("mongo",),
        health=(("database_up", "MongoDB answers its exporter", "mongodb_up{$M}"),),
        counts=(
            (
                "database_connections",
                "connections to MongoDB",
                'mongodb_ss_connections{conn_type="current",$M}',
            ),
        ),
    ),
    _Product(
        name="Elasticsearch",
        topic=("elastic", "opensearch"),
        shares=(
            (
                "search_heap",
                "use of Elasticsearch's heap",
                'elasticsearch_jvm_memory_used_bytes{area="heap",$M}',
                'elasticsearch_jvm_memory_max_bytes{area="heap",$M}',
            ),
        ),
        counts=(
            (
                "search_red",
                "clusters with missing shards",
                'elasticsearch_cluster_health_status{color="red",$M}',
            ),
        ),
        events=(
            ("search_rejected", "refused requests", "elasticsearch_thread_pool_rejected_count{$M}"),
        ),
    ),
    _Product(
        name="proxies",
        topic=("nginx", "haproxy", "envoy"),
        counts=(
            ("proxy_connections", "connections of nginx", "nginx_connections_active{$M}"),
            ("proxy_queue", "requests HAProxy keeps waiting", "haproxy_backend_current_queue{$M}"),
            (
                "proxy_queue",
                "requests Envoy keeps waiting",
                "envoy_cluster_upstream_rq_pending_active{$M}",
            ),
        ),
        events=(
            (
                "proxy_overflow",
                "requests Envoy refused",
                "envoy_cluster_upstream_rq_pending_overflow{$M}",
            ),
            (
                "proxy_connect_failures",
                "failed connections of Envoy",
                "envoy_cluster_upstream_cx_connect_fail{$M}",
            ),
        ),
    ),
)

DEPENDENCIES: tuple[Row, ...] = tuple(row for product in _PRODUCTS for row in product.rows())

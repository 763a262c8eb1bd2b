"""A database filled with many incidents at once: realistic in spread and size, made by SQL."""

from time import perf_counter

import measured
import psycopg2
import servers

DAYS = 90
"""The incidents lie this many days back at most, in the order of their ids."""

LARGE = 5000
"""The newest incident has so many alerts and events."""

COMMON, RARE, ONCE_COMMON = "europe", "unicorn", "legacy"
"""Words to search for: in 30 % of the incidents, in ten of a million, and in one of twenty of those
that are older than 60 days."""

# Few values take most rows, as in life: 97 % are completed, half are warnings, and the first of
# 40 namespaces holds a sixth of all rows. What is older than a day is over, but for one in 1000.
_FILL = f"""
INSERT INTO incidents (
    incident_id, status, created_at, updated_at, resolved_at, acked_at, acked_by,
    next_attempt_at, alert_input, diagnostic_report,
    alert_name, severity, namespace, service, root_cause, confidence_score,
    sender, receiver, group_key, priority)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid,
       status, at, at + interval '1 minute' * (1 + 59 * random()),
       CASE WHEN is_over THEN at + interval '1 hour' END,
       CASE WHEN NOT is_over THEN at END, CASE WHEN NOT is_over THEN 'someone' END,
       CASE WHEN status NOT IN ('completed', 'failed') THEN at END,
       jsonb_build_object('alert_name', alert_name, 'severity', severity, 'timestamp', at,
           'labels', jsonb_build_object('alertname', alert_name, 'namespace', namespace,
               'service', service, 'severity', severity, 'pod', service || '-' || md5(i::text)),
           'annotations', jsonb_build_object('summary', alert_name || ' on ' || service,
               'runbook_url', 'https://runbooks.example.com/' || alert_name)),
       CASE status WHEN 'completed' THEN
           jsonb_build_object('verdict', verdict, 'root_cause', alert_name || ' of ' || service,
               'category', category, 'root_cause_component', 'service/' || service,
               'reasoning_steps', jsonb_build_array(
                   md5(i || 'a'), md5(i || 'b'), md5(i || 'c'), md5(i || 'd'), md5(i || 'e')),
               'recommended_remediation', jsonb_build_object('short_term_actions',
                   jsonb_build_array(jsonb_build_object('action', 'roll ' || service || ' back'))))
       END,
       alert_name, severity, namespace, service,
       CASE status WHEN 'completed' THEN alert_name || ' of ' || service END,
       CASE status WHEN 'completed' THEN 0.5 + random() / 2 END,
       'default', 'opssage', md5(i::text), 2
FROM (
    SELECT i,
        now() - make_interval(secs => {DAYS * 86400.0} * (1 - i / %(rows)s::float)) AS at,
        CASE WHEN a < 0.97 THEN 'completed' WHEN a < 0.99 THEN 'failed'
             WHEN a < 0.997 THEN 'pending' WHEN a < 0.999 THEN 'context_collected'
             ELSE 'context_enriched' END AS status,
        CASE WHEN b < 0.5 THEN 'warning' WHEN b < 0.8 THEN 'info' WHEN b < 0.9 THEN 'critical'
             WHEN b < 0.95 THEN 'error' ELSE 'none' END AS severity,
        'team-' || floor(40 * c * c) AS namespace,
        'service-' || floor(300 * d * d) AS service,
        'Alert' || floor(200 * e * e) AS alert_name,
        CASE WHEN b < 0.6 THEN 'fault' ELSE 'insufficient_evidence' END AS verdict,
        CASE WHEN c < 0.4 THEN 'resource' WHEN c < 0.7 THEN 'configuration'
             WHEN c < 0.9 THEN 'dependency' ELSE 'credentials' END AS category,
        i < %(rows)s * (1 - 1 / {DAYS}.0) AND f < 0.999 AS is_over
    FROM (
        SELECT i, random() AS a, random() AS b, random() AS c, random() AS d, random() AS e,
            random() AS f
        FROM generate_series(1, %(rows)s) AS i
    ) AS dice
) AS incident
"""
_FILL_WORDS = f"""
INSERT INTO incident_words (incident_id, alert_words, answer_words)
SELECT incident_id,
    ' ' || lower(alert_name) || ' alert ' || substr(alert_name, 6) || ' ' || severity || ' '
        || translate(namespace, '-', ' ') || ' ' || translate(service, '-', ' ') || ' '
        || left(md5(incident_id::text), 9) || ' ' || right(md5(incident_id::text), 5)
        || ' pod http 9090 container prometheus on error rate above of requests for minutes'
        || CASE WHEN random() < 0.3 THEN ' {COMMON}' ELSE ' america' END
        || CASE WHEN random() < 0.00001 THEN ' {RARE}' ELSE '' END
        || CASE WHEN created_at < now() - interval '60 days' AND random() < 0.05
           THEN ' {ONCE_COMMON}' ELSE '' END,
    CASE WHEN root_cause IS NULL THEN '' ELSE ' ' || lower(alert_name) || ' of service saturation'
    END
FROM incidents
"""
_FILL_PRECEDENTS = """
INSERT INTO precedents (
    incident_id, created_at, alert_name, service, namespace, category, component_kind, judged,
    facts)
SELECT incident_id, created_at, alert_name, service, namespace,
    diagnostic_report ->> 'category', 'service', random() < 0.01,
    jsonb_build_object('root_cause', root_cause, 'comment', '',
        'actions', jsonb_build_array('roll ' || service || ' back'),
        'signals', jsonb_build_array('log.timeout', 'metric.error_ratio_rise',
            'metric.latency_rise', 'state.crash_loop', 'state.not_ready'))
FROM incidents WHERE diagnostic_report ->> 'verdict' = 'fault'
"""
_FILL_ALERTS = f"""
INSERT INTO alerts (
    fingerprint, starts_at, sender, incident_id, disposition, status, labels, annotations,
    generator_url, firing_condition, first_seen_at, last_seen_at)
SELECT left(md5(i::text), 16), at, 'default', incident_id, disposition, 'resolved',
    jsonb_build_object('alertname', 'Alert' || mod(i, 200), 'pod', md5(i::text)),
    jsonb_build_object('summary', 'it fired'), '', '', at, at
FROM (
    SELECT i, now() - make_interval(secs => i) AS at, NULL::uuid AS incident_id,
        CASE WHEN mod(i, 1000) = 0 THEN 'inhibitor' WHEN mod(i, 3) = 0 THEN 'resolved_only'
             ELSE 'ignored' END AS disposition
    FROM generate_series(1, %(rows)s / 10) AS i
    UNION ALL
    SELECT -i, now(), (SELECT incident_id FROM incidents ORDER BY created_at DESC LIMIT 1), NULL
    FROM generate_series(1, {LARGE}) AS i
) AS alert
"""
_FILL_EVENTS = f"""
INSERT INTO incident_events (incident_id, at, kind, data)
SELECT (SELECT incident_id FROM incidents ORDER BY created_at DESC LIMIT 1),
    now() + make_interval(secs => i), 'joined', jsonb_build_object('alerts', i)
FROM generate_series(1, {LARGE}) AS i
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('incidents', 'incident_words', 'alerts', 'precedents')
    AND indexname NOT LIKE 'pk_%' AND indexname NOT LIKE 'uq_%'
"""


def database(server_url: str, name: str, rows: int) -> str:
    """Make a database with so many incidents; returns its URL. A million takes a minute or two."""
    started = perf_counter()
    url = servers.database(server_url, name)
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '256MB'")
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        # an index is made much faster over rows that are there than row by row
        for index, _ in indexes:
            cursor.execute(f"DROP INDEX {index}")
        for statement in (_FILL, _FILL_WORDS, _FILL_PRECEDENTS, _FILL_ALERTS, _FILL_EVENTS):
            cursor.execute(statement, {"rows": rows})
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE")
    connection.close()
    measured.tell(f"filled {rows} incidents in {perf_counter() - started:.0f} s")
    return url

"""What an operator has to do whose sender was refused, in the words of that sender's settings.

In one line each: senders write our answer to their log.
"""

import shlex

from opssage.access import Scope

_MAKE = "make one with `opssage token create --name {} --scope {}`"
_KEEP_NAME = " (NAME is the sender of the alerts: where there was a token, keep its name)"

# https://prometheus.io/docs/alerting/latest/configuration/#http_config
_ALERTMANAGER = (
    "keep it in a file that Alertmanager can read, and give the receiver's webhook "
    "`http_config: {authorization: {credentials_file: /etc/alertmanager/opssage.token}}` or "
    "`http_config: {basic_auth: {username: opssage, "
    "password_file: /etc/alertmanager/opssage.token}}`"
)
# https://prometheus.io/docs/prometheus/latest/configuration/configuration/#alertmanager_config
_PROMETHEUS = (
    "keep it in a file that Prometheus can read, and write beside `static_configs`, under "
    "`alertmanagers` of `alerting`, "
    "`authorization: {credentials_file: /etc/prometheus/opssage.token}`"
)
# https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
_GRAFANA = (
    "enter it in the contact point, under Optional Webhook settings, as Authentication Header "
    "Credentials with the scheme Bearer, or in its file as `authorization_credentials: TOKEN`"
)
_CLIENT = (
    "send it as `Authorization: Bearer TOKEN`, as the password of Basic authentication, or as "
    "`X-API-Key: TOKEN`: `curl -H 'Authorization: Bearer TOKEN' …`"
)
_OF_DOORS = {
    "/api/v1/webhooks/alertmanager": _ALERTMANAGER,
    "/api/v1/webhooks/grafana": _GRAFANA,
    "/api/v2/alerts": _PROMETHEUS,
}


def remedy(rule: str, scope: Scope, name: str | None = None) -> str:
    """Return how to get in at a route; `name` is that of the token to put another in place of."""
    make = _MAKE.format(shlex.quote(name) if name else "NAME", scope)
    if scope is Scope.INGEST and not name:
        make += _KEEP_NAME
    return f"{make}; {_OF_DOORS.get(rule, _CLIENT)}"

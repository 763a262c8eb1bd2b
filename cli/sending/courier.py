"""Takes posts to their doors; Grafana's are signed, as Grafana does."""

import hmac
import time
from collections.abc import Mapping
from typing import Any

from cli.client import Client, receipt_in, told
from cli.sending.posts import Form, Post
from cli.sending.storm import Answer
from opssage.settings import GrafanaSettings

SIGNATURE_HEADER = "X-Grafana-Alerting-Signature"


class Courier:
    """Whoever posts in the name of the senders."""

    def __init__(self, client: Client, grafana: GrafanaSettings) -> None:
        """Take the connection, and how the server checks Grafana; without a secret it does not."""
        self._client = client
        self._grafana = grafana

    def send(self, post: Post) -> Mapping[str, Any]:
        """Return the receipt, empty where the door gives none. Raises CommandError."""
        return self._client.send(post.form.path, post.body, self._signature(post.form, post.body))

    def ask(self, form: Form, body: bytes) -> Answer:
        """Return what the door answers, also when it refuses. Raises CommandError on silence."""
        answer = self._client.post(form.path, body, self._signature(form, body))
        if answer.is_success:
            return answer.status_code, receipt_in(answer), ""
        return answer.status_code, {}, told(answer)

    def _signature(self, form: Form, body: bytes) -> dict[str, str]:
        secret, header = self._grafana.secret, self._grafana.timestamp_header
        if form is not Form.GRAFANA or secret is None:
            return {}
        stamp = {header: str(int(time.time()))} if header else {}
        signed = b"".join(f"{moment}:".encode() for moment in stamp.values()) + body
        return {**stamp, SIGNATURE_HEADER: hmac.digest(secret.encode(), signed, "sha256").hex()}

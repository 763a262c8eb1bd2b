import re
from pathlib import Path

import yaml

from cli import receiver
from opssage.settings import AuthSettings, Settings, WebSettings

ROOT = Path(__file__).parents[3]


def test_receiver_block_is_what_alertmanager_reads():
    """Route and receiver, resolved alerts included."""
    settings = Settings(folder=Path(), web=WebSettings(port=8001))

    assert yaml.safe_load(receiver.block(settings)) == {
        "route": {"receiver": "opssage", "group_by": ["cluster", "namespace"]},
        "receivers": [
            {
                "name": "opssage",
                "webhook_configs": [
                    {
                        "url": "http://localhost:8001/api/v1/webhooks/alertmanager",
                        "send_resolved": True,
                    }
                ],
            }
        ],
    }


def test_receiver_block_routes_as_the_documents_do():
    """README.md and the example file group alerts as `opssage up` says."""
    printed = yaml.safe_load(receiver.block(Settings(folder=Path())))
    (shown,) = re.findall(r"```yaml\n(route:.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = yaml.safe_load((ROOT / "deploy" / "alertmanager" / "opssage.yml").read_text())

    assert yaml.safe_load(shown) == printed
    assert example["route"].items() >= printed["route"].items()


def test_receiver_block_names_the_file_of_a_token_when_one_is_wanted():
    """What `opssage up` prints may be kept for long, so it holds no secret."""
    settings = Settings(folder=Path(), auth=AuthSettings(mode="token", token="sesame"))

    (named,) = yaml.safe_load(receiver.block(settings))["receivers"]

    (webhook,) = named["webhook_configs"]
    assert webhook["http_config"] == {
        "authorization": {"credentials_file": "/etc/alertmanager/opssage.token"}
    }

"""Whose the services around an incident are, as the topology file says."""

from collections.abc import Mapping

from opssage.evidence import PrimaryContext
from opssage.graph import bare_names, owners_of
from tasks.enrich.footprint import footprint
from tasks.enrich.topology import service_graph


def owners_around(context: PrimaryContext, declared: Mapping[str, str]) -> dict[str, str]:
    """Return service → owner, of the services in the topology and those of the alerts.

    They are named as in the topology. `declared` is by service as the file names it.
    """
    if not declared:
        return {}
    services = {*service_graph(context).services, *footprint(context).services}
    shown = bare_names(services)
    return {shown[each]: owner for each, owner in owners_of(services, declared).items()}

"""Servers that the kit did not make, and only attaches a network to."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.cloud_plan_addresses import overlaps
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_find import find
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Wish
from ansible.module_utils.cloud_plan_names import cluster_of


def check_adopted(cloud: Cloud, wish: Wish, eodata: Any, faults: Faults) -> list[Any]:
    """The servers that are meant, each once, and the faults of what is meant."""
    if wish["attach_network"] and not wish["servers"]:
        faults.error("servers", f"No servers are named to attach '{wish['attach_network']}' to. Remedy: name them, or"
                     f" leave {faults.called('attach_network')} empty.")
    found = [find(cloud, faults, "servers", "server", name, "servers") for name in wish["servers"]]
    servers = list({server.id: server for server in found if server is not None}.values())
    for server in servers:
        if server.status == "ERROR":
            faults.error("servers", f"'{server.name}' ({server.id}) is in ERROR, and nothing can be attached to it."
                         f" Remedy: see why with `openstack server show {server.id} -c fault`; leave it out until its"
                         " owner has put it right.")
        if cluster_of(server) not in ("", wish["cluster"]):
            faults.warning("servers", f"'{server.name}' ({server.id}) bears the mark of the cluster"
                           f" '{cluster_of(server)}'. Remedy: see whether it is meant; {faults.called('cluster')} is"
                           f" '{wish['cluster']}'.")
    if eodata is not None:
        check_overlap(cloud, servers, eodata, faults)
    return servers


def check_overlap(cloud: Cloud, servers: list[Any], eodata: Any, faults: Faults) -> None:
    """A machine on two networks with common addresses does not know where to send."""
    ids = {server.id for server in servers}
    on = {port.network_id for port in cloud.ports if port.device_id in ids} - {eodata.id}
    theirs = [subnet.cidr for subnet in cloud.subnets_of(eodata)]
    for network in (one for one in cloud.networks if one.id in on):
        for left, right in overlaps([subnet.cidr for subnet in cloud.subnets_of(network)], theirs):
            faults.error("attach_network", f"{right} of '{eodata.name}' overlaps {left} of '{network.name}', which the"
                         " servers are on: routes would be ambiguous. Remedy: servers on another network.")

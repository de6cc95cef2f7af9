"""From a look at the cloud and a wish to faults, plan, estimate and what is ours."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.cloud_plan_addresses import check_sources
from ansible.module_utils.cloud_plan_adopted import check_adopted
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Wish, check_machines
from ansible.module_utils.cloud_plan_names import check_names, thing
from ansible.module_utils.cloud_plan_networks import check_networks, check_room, find_eodata
from ansible.module_utils.cloud_plan_ours import check_home, check_namesakes, check_servers, resources
from ansible.module_utils.cloud_plan_quota import check_quotas, count, estimate, limits, needs, size_of
from ansible.module_utils.cloud_plan_rules import check_openness, groups_of
from ansible.module_utils.cloud_plan_steps import interface_steps, provision_steps

Result = dict[str, Any]


def nothing_seen() -> Result:
    """The result where there is no way to the cloud."""
    sizes = size_of([], Cloud(), [], 0)
    return {"plan": [], "estimate": {"now": sizes, "wanted": sizes, "more": sizes}, "resources": resources(Cloud(), "")}


def check_wish(wish: Wish, faults: Faults) -> Wish:
    """What can be said without the cloud; the wish with the sources in Neutron's spelling."""
    if not wish["provision"]:
        return wish
    check_names(wish["cluster"], wish["workers"], faults)
    return {**wish, "ssh_sources": check_sources(wish["ssh_sources"], faults)}


def plan_all(cloud: Cloud, wish: Wish, faults: Faults) -> Result:
    """Everything that the module returns, beside the faults."""
    plan = plan_provision if wish["provision"] else plan_adopted
    planned = plan(cloud, wish, faults)
    if not cloud.is_whole:  # half a look would plan to make what is there
        planned = nothing_seen()
    return {**planned, "resources": resources(cloud, wish["cluster"])}


def plan_provision(cloud: Cloud, wish: Wish, faults: Faults) -> Result:
    """For servers that the kit makes."""
    machines = check_machines(cloud, wish, faults)
    networks = check_networks(cloud, wish, faults)
    check_namesakes(cloud, wish, networks, faults)
    check_servers(cloud, wish, machines, faults)
    check_home(cloud, wish, faults)
    steps = provision_steps(cloud, wish, machines, networks)
    needed = needs(cloud, wish, machines, steps)
    check_quotas(needed, limits(cloud), wish, faults)
    check_room(cloud, networks.cluster, "network_cidr" if networks.makes_network else "network",
               needed["instances"], faults)
    check_room(cloud, networks.eodata, "attach_network", count(steps, "attach", "interface"), faults)
    ours = cloud.marked("servers", wish["cluster"])
    own = thing(wish["cluster"], "security group")  # what is too open there is closed by the plan
    others = [group for group in groups_of(cloud, ours) if group.name != own]
    check_openness([*others, *machines.security_groups], "security_groups", faults)
    return {"plan": steps, "estimate": estimate(cloud, wish, machines, needed)}


def plan_adopted(cloud: Cloud, wish: Wish, faults: Faults) -> Result:
    """For servers that are there: the EO data network, and nothing else."""
    eodata = find_eodata(cloud, wish, faults)
    servers = check_adopted(cloud, wish, eodata, faults)
    steps = interface_steps(cloud, servers, eodata, wish["attach_network"]) if wish["attach_network"] else []
    attached = count(steps, "attach", "interface")
    check_quotas({"ports": attached}, limits(cloud), wish, faults)
    check_room(cloud, eodata, "attach_network", attached, faults)
    check_openness(groups_of(cloud, servers), "servers", faults)
    ids = {port.id for port in cloud.ports if port.device_id in {server.id for server in servers}}
    now = size_of(servers, cloud, [], sum(address.port_id in ids for address in cloud.floating_ips))
    return {"plan": steps, "estimate": {"now": now, "wanted": now, "more": size_of([], cloud, [], 0)}}

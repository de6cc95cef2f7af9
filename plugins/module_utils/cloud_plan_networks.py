"""The networks: the cluster's own or the user's, the way out, and the EO data network."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ansible.module_utils.cloud_plan_addresses import check_cidr, overlaps
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_find import find
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Wish
from ansible.module_utils.cloud_plan_names import thing


@dataclass
class Networks:
    """What the user's names mean; None where that is not clear, or not there yet."""

    cluster: Any = None      # the network that the servers are on
    external: Any = None     # where the router and the floating IP lead to
    eodata: Any = None
    makes_network: bool = False
    makes_router: bool = False


def check_networks(cloud: Cloud, wish: Wish, faults: Faults) -> Networks:
    """For servers that the kit makes: what the options mean, and the faults of what they mean."""
    chosen = Networks(makes_network=not wish["network"])
    chosen.makes_router = chosen.makes_network and bool(wish["external_network"])
    chosen.eodata = find_eodata(cloud, wish, faults)
    chosen.external = find_external(cloud, wish, faults)
    if chosen.makes_network:
        name = thing(wish["cluster"], "network")
        ours = [network for network in cloud.marked("networks", wish["cluster"]) if network.name == name]
        chosen.cluster = ours[0] if ours else None
        check_own(cloud, wish, chosen, faults)
    else:
        chosen.cluster = find(cloud, faults, "network", "network", wish["network"], "networks")
        check_given(cloud, wish, chosen, faults)
    return chosen


def find_eodata(cloud: Cloud, wish: Wish, faults: Faults) -> Any:
    """The EO data network, which has to have a subnet."""
    if not wish["attach_network"]:
        return None
    network = find(cloud, faults, "attach_network", "network", wish["attach_network"], "networks")
    if network is not None and not is_way_out(network, "attach_network", faults):
        need_subnet(cloud, network, "attach_network", faults)
    return network


def find_external(cloud: Cloud, wish: Wish, faults: Faults) -> Any:
    """The network that the router and the floating IP lead to."""
    if "networks" in cloud.unseen:
        return None
    ways_out = [network for network in cloud.networks if network.is_router_external]
    names = ", ".join(sorted(f"{network.name} ({network.id})" for network in ways_out)) or "none"
    if wish["external_network"]:
        network = find(cloud, faults, "external_network", "external network", wish["external_network"], "networks",
                       lambda one: bool(one.is_router_external))
        if network is not None and not network.is_router_external:
            faults.error("external_network", f"'{network.name}' is no external network: no router leads out by it and"
                         f" it has no floating IPs. External are: {names}. Remedy: give one of these.")
            return None
        return network
    if wish["floating_ip"]:
        faults.error("external_network", f"It is empty, and {faults.called('floating_ip')} is true: a floating IP comes"
                     f" from an external network. Remedy: give one of: {names}; or set {faults.called('floating_ip')}"
                     " to false.")
    elif not wish["network"]:
        faults.warning("external_network", "It is empty: the cluster's network gets no router, and the machines reach"
                       f" neither packages nor anything outside. Remedy: give one of: {names}.")
    return None


def check_own(cloud: Cloud, wish: Wish, chosen: Networks, faults: Faults) -> None:
    """The network of the cluster's own, made or to be made."""
    cidr = check_cidr(wish["network_cidr"], 1 + max(wish["workers"], 0), faults)
    if cidr is None:
        return
    ours = cloud.subnets_of(chosen.cluster) if chosen.cluster is not None else []
    other = sorted(subnet.cidr for subnet in ours if subnet.cidr != str(cidr))
    if other:
        faults.error("network_cidr", f"It is '{cidr}', and the network '{chosen.cluster.name}' is there with"
                     f" {', '.join(other)}; it is not changed under running machines. Remedy: {other[0]}; or destroy"
                     " the cluster and make it anew.")
    no_overlap(cloud, [str(cidr)], chosen.eodata, "network_cidr", f"'{cidr}'", "Remedy: another range.", faults)


def check_given(cloud: Cloud, wish: Wish, chosen: Networks, faults: Faults) -> None:
    """A network that the user has."""
    network = chosen.cluster
    if network is None or is_way_out(network, "network", faults):
        return
    if chosen.eodata is not None and chosen.eodata.id == network.id:
        faults.error("network", f"'{network.name}' is also {faults.called('attach_network')}: the cluster would talk"
                     " over the EO data network. Remedy: another network, or an empty value, and one is made.")
        return
    if not need_subnet(cloud, network, "network", faults):
        return
    cidrs = [subnet.cidr for subnet in cloud.subnets_of(network)]
    no_overlap(cloud, cidrs, chosen.eodata, "network", f"'{network.name}' ({', '.join(cidrs)})",
               "Remedy: another network, or an empty value, and one is made.", faults)
    if wish["floating_ip"] and chosen.external is not None and not leads_to(cloud, network, chosen.external):
        faults.warning("network", f"'{network.name}' has no router of this project's to '{chosen.external.name}', which"
                       f" the floating IP needs. Remedy: `openstack router set --external-gateway"
                       f" {chosen.external.name} ROUTER` and `openstack router add subnet ROUTER SUBNET`; or"
                       f" {faults.called('floating_ip')}: false.")


def leads_to(cloud: Cloud, network: Any, external: Any) -> bool:
    """Whether a router of the project connects the two."""
    if {"ports", "routers"} & cloud.unseen:
        return True  # not seen is not missing
    out = {router.id for router in cloud.routers
           if (router.external_gateway_info or {}).get("network_id") == external.id}
    return any(cloud.ports_on(network, router_id) for router_id in out)


def is_way_out(network: Any, option: str, faults: Faults) -> bool:
    """Whether it is an external network, into which servers are not plugged."""
    if network.is_router_external:
        faults.error(option, f"'{network.name}' is an external network, for routers and floating IPs and not for"
                     " servers. Remedy: name one of the project's, or a shared one.")
    return bool(network.is_router_external)


def need_subnet(cloud: Cloud, network: Any, option: str, faults: Faults) -> bool:
    """Whether servers get addresses there."""
    if "subnets" in cloud.unseen or any(subnet.ip_version == 4 for subnet in cloud.subnets_of(network)):
        return True
    faults.error(option, f"'{network.name}' has no IPv4 subnet to take addresses from. Remedy: `openstack subnet create"
                 f" --network {network.id} --subnet-range CIDR NAME`, or another network.")
    return False


def no_overlap(cloud: Cloud, cidrs: list[str], eodata: Any, option: str, what: str, remedy: str,
               faults: Faults) -> None:
    """A machine on two networks with common addresses does not know where to send."""
    if eodata is None:
        return
    theirs = [subnet.cidr for subnet in cloud.subnets_of(eodata)]
    for _, other in overlaps(cidrs, theirs):
        faults.error(option, f"{what} overlaps {other} of the EO data network '{eodata.name}': routes would be"
                     f" ambiguous. {remedy}")


def free_addresses(cloud: Cloud, network: Any) -> int:
    """How many IPv4 addresses the network has left, as far as this project sees: others' ports it does not."""
    pools = [(int(ip_address(pool["start"])), int(ip_address(pool["end"])))
             for subnet in cloud.subnets_of(network) if subnet.ip_version == 4
             for pool in subnet.allocation_pools or []]
    taken = {int(ip_address(fixed["ip_address"]))
             for port in cloud.ports if port.network_id == network.id for fixed in port.fixed_ips or []}
    room = sum(end - start + 1 for start, end in pools)
    return room - sum(start <= address <= end for address in taken for start, end in pools)


def check_room(cloud: Cloud, network: Any, option: str, needed: int, faults: Faults) -> None:
    """A network has to have an address for each interface that is missing."""
    if network is None or not cloud.subnets_of(network) or needed <= 0 or "ports" in cloud.unseen:
        return
    free = free_addresses(cloud, network)
    if free < needed:
        faults.error(option, f"'{network.name}' has {free} addresses left, and {needed} more are needed. Remedy: detach"
                     " machines that do not need it, another subnet in it, or fewer workers.")

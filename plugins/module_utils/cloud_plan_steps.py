"""The plan: what is to be made, kept, changed and attached, in the order of doing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Machines, Wish
from ansible.module_utils.cloud_plan_names import master_name, role_of, thing, worker_names
from ansible.module_utils.cloud_plan_networks import Networks
from ansible.module_utils.cloud_plan_ours import router_subnets
from ansible.module_utils.cloud_plan_rules import rules_to_change

Step = dict[str, str]


def step(action: str, kind: str, name: str, detail: str = "") -> Step:
    """One step of the plan, also as a line to read."""
    line = f"{action:<8}{kind:<16}{name}{f' ({detail})' if detail else ''}"
    return {"action": action, "kind": kind, "name": name, "detail": detail, "line": line}


def provision_steps(cloud: Cloud, wish: Wish, machines: Machines, networks: Networks) -> list[Step]:
    """What a run of provision does, and attaching after it."""
    return [*key_steps(cloud, wish, machines), *network_steps(cloud, wish, networks), *group_steps(cloud, wish),
            *volume_steps(cloud, wish), *server_steps(cloud, wish, machines), *home_steps(cloud, wish),
            *address_steps(cloud, wish, networks), *attach_steps(cloud, wish, networks.eodata)]


def first(cloud: Cloud, wish: Wish, lists: str, name: str) -> Any:
    """Our thing of this name; None where it is not there."""
    return next((one for one in cloud.marked(lists, wish["cluster"]) if one.name == name), None)


def key_steps(cloud: Cloud, wish: Wish, machines: Machines) -> list[Step]:
    """The key pair: the user's, or one of ours."""
    if not machines.makes_key:
        return [step("keep", "key pair", wish["key_name"], "yours")]
    name = thing(wish["cluster"], "key pair")
    there = any(pair.name == name for pair in cloud.key_pairs)
    return [step("keep" if there else "make", "key pair", name)]


def network_steps(cloud: Cloud, wish: Wish, networks: Networks) -> list[Step]:
    """The network that the servers are on, and the router to the outside."""
    if not networks.makes_network:
        return [step("keep", "network", networks.cluster.name if networks.cluster else wish["network"], "yours")]
    names = {kind: thing(wish["cluster"], kind) for kind in ("network", "subnet", "router")}
    subnet = first(cloud, wish, "subnets", names["subnet"])
    steps = [step("keep" if networks.cluster else "make", "network", names["network"]),
             step("keep" if subnet else "make", "subnet", names["subnet"], subnet.cidr if subnet else
                  wish["network_cidr"])]
    if networks.makes_router:
        steps.append(router_step(cloud, wish, networks, names["router"], subnet))
    return steps


def router_step(cloud: Cloud, wish: Wish, networks: Networks, name: str, subnet: Any) -> Step:
    """The router, which has to lead to the outside and to have an interface on the subnet."""
    outside = f"to {networks.external.name if networks.external else wish['external_network']}"
    router = first(cloud, wish, "routers", name)
    if router is None:
        return step("make", "router", name, outside)
    lacks = []
    gateway = (router.external_gateway_info or {}).get("network_id")
    if networks.external is not None and gateway != networks.external.id:
        lacks.append(f"gateway {outside}")
    if subnet is None or subnet.id not in router_subnets(cloud, router):
        lacks.append("interface on the subnet")
    return step("change" if lacks else "keep", "router", name, " and ".join(lacks) or outside)


def group_steps(cloud: Cloud, wish: Wish) -> list[Step]:
    """The security group of all nodes."""
    name = thing(wish["cluster"], "security group")
    group = first(cloud, wish, "security_groups", name)
    if group is None:
        return [step("make", "security group", name,
                     f"ssh from {', '.join(wish['ssh_sources']) or 'nowhere'}; everything between members")]
    lacks, other = rules_to_change(group, wish["ssh_sources"])
    changes = [*(f"add {rule}" for rule in lacks), *(f"remove {rule}" for rule in other)]
    return [step("change" if changes else "keep", "security group", name, "; ".join(changes))]


def volume_steps(cloud: Cloud, wish: Wish) -> list[Step]:
    """The volume for /home."""
    if wish["home_volume_size"] <= 0:
        return []
    name = thing(wish["cluster"], "volume")
    volume = first(cloud, wish, "volumes", name)
    size = volume.size if volume else wish["home_volume_size"]
    return [step("keep" if volume else "make", "volume", name, f"{size} GB for /home")]


def missing_servers(cloud: Cloud, wish: Wish) -> dict[str, str]:
    """The names of the servers to make, with their roles."""
    master = master_name(wish["cluster"])
    present = {server.name for server in cloud.marked("servers", wish["cluster"])}
    workers = worker_names(wish["cluster"], present - {master}, wish["workers"])
    return {**({} if master in present else {master: "master"}), **dict.fromkeys(workers, "worker")}


def server_steps(cloud: Cloud, wish: Wish, machines: Machines) -> list[Step]:
    """Master and workers."""
    present = cloud.marked("servers", wish["cluster"])
    steps = [step("keep", "server", server.name, server.status) for server in present]
    for name, role in missing_servers(cloud, wish).items():
        flavor = machines.flavors.get(role)
        size = f" of {flavor.vcpus} cores and {flavor.ram / 1024:g} GB" if flavor else ""
        root = f", root volume of {wish['root_volume_size']} GB" if wish["root_volume_size"] > 0 else ""
        steps.append(step("make", "server", name,
                          f"{wish[f'{role}_flavor'] or 'no flavor'}{size}, {wish['image'] or 'no image'}{root}"))
    steps.sort(key=lambda one: (one["name"] != master_name(wish["cluster"]), one["name"]))
    workers = [server for server in present if role_of(server) != "master"]
    if len(workers) > wish["workers"]:
        steps.append(step("surplus", "server", f"{wish['cluster']}-worker*", f"{len(workers)} workers are there and"
                          f" {wish['workers']} are wanted; only `make scale` removes some, idle ones first"))
    return steps


def home_steps(cloud: Cloud, wish: Wish) -> list[Step]:
    """The volume is plugged into the master."""
    name, master = thing(wish["cluster"], "volume"), first(cloud, wish, "servers", master_name(wish["cluster"]))
    volume = first(cloud, wish, "volumes", name)
    holders = [one["server_id"] for one in volume.attachments or []] if volume else []
    if wish["home_volume_size"] <= 0 or (master is not None and master.id in holders):
        return []
    return [step("attach", "volume", name, f"to {master_name(wish['cluster'])}")]


def address_steps(cloud: Cloud, wish: Wish, networks: Networks) -> list[Step]:
    """The master's public address."""
    if not wish["floating_ip"]:
        return []
    name = master_name(wish["cluster"])
    master = first(cloud, wish, "servers", name)
    ports = {port.id for port in cloud.ports if master is not None and port.device_id == master.id}
    ours = cloud.marked("floating_ips", wish["cluster"])
    for address in [*ours, *cloud.floating_ips]:
        if address.port_id in ports:
            return [step("keep", "floating ip", address.floating_ip_address,
                         f"of {name}" if address in ours else f"of {name}; not made by the kit")]
    if ours:
        return [step("attach", "floating ip", ours[0].floating_ip_address, f"to {name}")]
    outside = networks.external.name if networks.external else wish["external_network"]
    return [step("make", "floating ip", outside or "no external network", f"for {name}")]


def attach_steps(cloud: Cloud, wish: Wish, eodata: Any) -> list[Step]:
    """The EO data network, on every server that is there or will be."""
    if not wish["attach_network"]:
        return []
    present = cloud.marked("servers", wish["cluster"])
    steps = interface_steps(cloud, present, eodata, wish["attach_network"])
    steps += [step("attach", "interface", name, wish["attach_network"]) for name in missing_servers(cloud, wish)]
    return sorted(steps, key=lambda one: (one["name"] != master_name(wish["cluster"]), one["name"]))


def interface_steps(cloud: Cloud, servers: Iterable[Any], network: Any, called: str) -> list[Step]:
    """Whether each server has an interface on the network."""
    return [step("keep" if network is not None and cloud.ports_on(network, server.id) else "attach", "interface",
                 server.name, network.name if network is not None else called) for server in servers]

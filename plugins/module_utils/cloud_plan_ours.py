"""What bears the cluster's mark, and what only has its names."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_keys import key_mark
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Machines, Wish
from ansible.module_utils.cloud_plan_names import cluster_of, description, master_name, role_of, thing, worker_names
from ansible.module_utils.cloud_plan_networks import Networks

LISTS = {"server": "servers", "network": "networks", "subnet": "subnets", "router": "routers",
         "security group": "security_groups", "volume": "volumes"}


def router_subnets(cloud: Cloud, router: Any) -> list[str]:
    """The IDs of the subnets that a router has an interface on."""
    return sorted({fixed["subnet_id"] for port in cloud.ports
                   if port.device_id == router.id and (port.device_owner or "").startswith("network:")
                   and port.device_owner != "network:router_gateway" for fixed in port.fixed_ips or []})


def resources(cloud: Cloud, cluster: str) -> dict[str, list[dict[str, Any]]]:
    """Everything that bears the mark, by kind, as the module returns it."""
    holder = {port.id: port.device_id for port in cloud.ports}

    def plain(kind: str) -> list[dict[str, Any]]:
        return [{"id": one.id, "name": one.name} for one in cloud.marked(kind, cluster)]

    return {
        "servers": [{
            "id": one.id, "name": one.name, "role": role_of(one), "status": one.status, "created": one.created_at,
            "addresses": {network: [address["addr"] for address in addresses]
                          for network, addresses in (one.addresses or {}).items()},
            "volumes": [volume.id for volume in one.attached_volumes or []],
        } for one in cloud.marked("servers", cluster)],
        "volumes": [{
            "id": one.id, "name": one.name, "size": one.size, "status": one.status, "created": one.created_at,
            "attachments": [attachment["server_id"] for attachment in one.attachments or []],
        } for one in cloud.marked("volumes", cluster)],
        "floating_ips": [{
            "id": one.id, "name": one.floating_ip_address, "address": one.floating_ip_address,
            "port_id": one.port_id or "", "server_id": holder.get(one.port_id, ""),
        } for one in cloud.marked("floating_ips", cluster)],
        "networks": plain("networks"),
        "subnets": [{"id": one.id, "name": one.name, "cidr": one.cidr, "network_id": one.network_id}
                    for one in cloud.marked("subnets", cluster)],
        "routers": [{"id": one.id, "name": one.name, "subnet_ids": router_subnets(cloud, one)}
                    for one in cloud.marked("routers", cluster)],
        "security_groups": plain("security_groups"),
        "key_pairs": [{"name": one.name, "fingerprint": one.fingerprint}
                      for one in cloud.key_pairs if key_mark(one.public_key or "") == description(cluster)],
    }


def expected(cloud: Cloud, wish: Wish, networks: Networks) -> list[tuple[str, str, str]]:
    """The kind, the name and the option of everything of our own that this wish needs."""
    cluster = wish["cluster"]
    present = [server.name for server in cloud.marked("servers", cluster) if server.name != master_name(cluster)]
    names = [master_name(cluster), *present, *worker_names(cluster, present, wish["workers"])]
    found = [("server", name, "cluster") for name in names]
    if networks.makes_network:
        found += [("network", thing(cluster, "network"), "network"), ("subnet", thing(cluster, "subnet"), "network")]
    if networks.makes_router:
        found.append(("router", thing(cluster, "router"), "external_network"))
    found.append(("security group", thing(cluster, "security group"), "cluster"))
    if wish["home_volume_size"] > 0:
        found.append(("volume", thing(cluster, "volume"), "home_volume_size"))
    return found


def check_namesakes(cloud: Cloud, wish: Wish, networks: Networks, faults: Faults) -> None:
    """What has one of our names and is not ours, or is ours and there twice, stops everything: nothing is touched that
    may be somebody's, and nothing is chosen at random."""
    cluster = wish["cluster"]
    for kind, name, option in dict.fromkeys(expected(cloud, wish, networks)):
        called = [one for one in getattr(cloud, LISTS[kind]) if one.name == name and cloud.owns(one)]
        ours = [one for one in called if cluster_of(one) == cluster]
        for other in (one for one in called if one not in ours):
            whose = f"bears the mark of cluster '{cluster_of(other)}'" if cluster_of(other) else "lacks the kit's mark"
            by_name = f", or set {faults.called('network')} to it" if kind in ("network", "subnet") else ""
            faults.error(option, f"A {kind} named '{name}' is there ({other.id}) and {whose}, so it is never touched."
                         f" Remedy: another {faults.called('cluster')}{by_name}; or rename it.")
        if len(ours) > 1:
            faults.error(option, f"{len(ours)} {kind}s of this cluster are named '{name}':"
                         f" {', '.join(one.id for one in ours)}. Remedy: see which one is in use, and `openstack"
                         f" {kind} delete` the others.")
    surplus = cloud.marked("floating_ips", cluster)[1:]
    if wish["floating_ip"] and surplus:
        every = ", ".join(one.floating_ip_address for one in cloud.marked("floating_ips", cluster))
        faults.warning("floating_ip", f"This cluster has more than one floating IP: {every}. Remedy: `openstack"
                       " floating ip delete` those that nobody uses; they may cost money.")


def check_servers(cloud: Cloud, wish: Wish, machines: Machines, faults: Faults) -> None:
    """Our servers that are there: whether they can be used, and are what is wished."""
    for server in cloud.marked("servers", wish["cluster"]):
        if server.status == "ERROR" and not server.launched_at:
            faults.warning("cluster", f"Server '{server.name}' ({server.id}) is in ERROR and never ran. Remedy: none"
                           f" needed: it is deleted and made anew. `openstack server show {server.id} -c fault` says"
                           " what went wrong.")
        elif server.status == "ERROR":
            faults.error("cluster", f"Server '{server.name}' ({server.id}) is in ERROR. Remedy: see why with `openstack"
                         f" server show {server.id} -c fault`; then `openstack server delete {server.id}`, and run this"
                         " again: it is made anew.")
        elif server.status not in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT"):
            faults.warning("cluster", f"Server '{server.name}' ({server.id}) is {server.status}. Remedy: `openstack"
                           f" server start {server.id}`, or unshelve, resume or the like, as its state asks for.")
        flavor = machines.flavors.get(role_of(server))
        has = getattr(server.flavor, "original_name", None) or ""
        if flavor is not None and has and has != flavor.name:
            faults.warning(f"{role_of(server)}_flavor", f"It is '{flavor.name}', and '{server.name}' has '{has}': a"
                           f" machine that is there is not changed. Remedy: '{has}'; or remove the machine, and it is"
                           " made anew.")
        image_id = getattr(server.image, "id", None) or ""  # none where it boots from a volume
        if machines.image is not None and image_id and image_id != machines.image.id:
            faults.warning("image", f"It is '{machines.image.name}' ({machines.image.id}), and '{server.name}' was made"
                           f" from {image_id}: a machine that is there is not changed. Remedy: none needed; remove the"
                           " machine where it has to be made anew.")


def check_home(cloud: Cloud, wish: Wish, faults: Faults) -> None:
    """Our volume for /home, where it is there: it holds data, so nothing is done to it but plugging it in."""
    name, size = thing(wish["cluster"], "volume"), wish["home_volume_size"]
    master = {server.id for server in cloud.marked("servers", wish["cluster"])
              if server.name == master_name(wish["cluster"])}
    for volume in cloud.marked("volumes", wish["cluster"]) if size > 0 else []:
        if volume.name != name:
            continue
        if volume.status.startswith("error"):
            faults.error("home_volume_size", f"Volume '{name}' ({volume.id}) is in state {volume.status}. Remedy: ask"
                         " the provider to put it right.")
        if volume.size != size:
            faults.warning("home_volume_size", f"{size} GB are wanted, and volume '{name}' has {volume.size}: its size"
                           f" is not changed. Remedy: {volume.size}; or, to grow it, `openstack volume set --size GB"
                           f" {volume.id}` and resize2fs on the master.")
        others = [one["server_id"] for one in volume.attachments or [] if one["server_id"] not in master]
        if others:
            faults.error("home_volume_size", f"Volume '{name}' ({volume.id}) is plugged into {', '.join(others)}, which"
                         " is not this cluster's master. Remedy: when nobody uses it there, `openstack server remove"
                         f" volume {others[0]} {volume.id}`.")

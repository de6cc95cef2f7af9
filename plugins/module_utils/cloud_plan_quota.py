"""What the project may still make, against what is missing; and the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_machines import Machines, Wish
from ansible.module_utils.cloud_plan_names import thing
from ansible.module_utils.cloud_plan_rules import RULES_BETWEEN_MEMBERS, RULES_OUT, rules_to_change
from ansible.module_utils.cloud_plan_steps import Step, missing_servers

# Of a quota: the word for the user, and the option that changes the need.
QUOTAS = {
    "instances": ("servers", "workers"), "cores": ("cores", "worker_flavor"), "ram": ("MB of memory", "worker_flavor"),
    "key_pairs": ("key pairs", "key_name"), "volumes": ("volumes", "home_volume_size"),
    "gigabytes": ("GB of volumes", "home_volume_size"), "networks": ("networks", "network"),
    "subnets": ("subnets", "network"), "routers": ("routers", "network"), "ports": ("ports", "workers"),
    "security_groups": ("security groups", "cluster"),
    "security_group_rules": ("rules of security groups", "ssh_sources"),
    "floating_ips": ("floating IPs", "floating_ip"),
}


@dataclass(frozen=True)
class Limit:
    """A quota and its use."""

    most: int
    used: int


def limits(cloud: Cloud) -> dict[str, Limit]:
    """The quotas that are limited, as far as the cloud tells them."""
    found: dict[str, tuple[Any, Any]] = {}
    compute, volume, network = cloud.compute_limits, cloud.volume_limits, cloud.network_quota
    if compute is not None:
        found.update(instances=(compute.instances, compute.instances_used),
                     cores=(compute.total_cores, compute.total_cores_used),
                     ram=(compute.total_ram, compute.total_ram_used),
                     key_pairs=(compute.keypairs, len(cloud.key_pairs)))
    if volume is not None:
        found.update(volumes=(volume.max_total_volumes, volume.total_volumes_used),
                     gigabytes=(volume.max_total_volume_gigabytes, volume.total_gigabytes_used))
    if network is not None:
        for name in ("networks", "subnets", "routers", "ports", "security_groups", "security_group_rules",
                     "floating_ips"):
            quota = getattr(network, name) or {}
            reserved = quota.get("reserved") or 0
            found[name] = (quota.get("limit"), (quota.get("used") or 0) + reserved)
    return {name: Limit(int(most), int(used or 0)) for name, (most, used) in found.items()
            if most is not None and int(most) >= 0}


def count(steps: list[Step], action: str, kind: str) -> int:
    """How many steps of a plan do this."""
    return sum(one["action"] == action and one["kind"] == kind for one in steps)


def needs(cloud: Cloud, wish: Wish, machines: Machines, steps: list[Step]) -> dict[str, int]:
    """What carrying out the plan takes of every quota."""
    made = {kind: count(steps, "make", kind) for kind in
            ("server", "network", "subnet", "router", "security group", "key pair", "volume", "floating ip")}
    roles = missing_servers(cloud, wish).values()
    flavors = [flavor for role in roles if (flavor := machines.flavors.get(role)) is not None]
    roots = made["server"] if wish["root_volume_size"] > 0 else 0
    # A network brings a port for DHCP, and a router one for its interface.
    ports = made["server"] + count(steps, "attach", "interface") + made["network"] + made["router"]
    return {"instances": made["server"], "cores": sum(flavor.vcpus for flavor in flavors),
            "ram": sum(flavor.ram for flavor in flavors), "key_pairs": made["key pair"],
            "volumes": made["volume"] + roots,
            "gigabytes": made["volume"] * wish["home_volume_size"] + roots * wish["root_volume_size"],
            "networks": made["network"], "subnets": made["subnet"], "routers": made["router"], "ports": ports,
            "security_groups": made["security group"], "security_group_rules": needed_rules(cloud, wish),
            "floating_ips": made["floating ip"]}


def needed_rules(cloud: Cloud, wish: Wish) -> int:
    """The rules that our security group lacks."""
    name = thing(wish["cluster"], "security group")
    group = next((one for one in cloud.marked("security_groups", wish["cluster"]) if one.name == name), None)
    if group is None:
        return RULES_OUT + RULES_BETWEEN_MEMBERS + len(wish["ssh_sources"])
    return len(rules_to_change(group, wish["ssh_sources"])[0])


def check_quotas(needed: dict[str, int], limited: dict[str, Limit], wish: Wish, faults: Faults) -> None:
    """A fault for each quota that what is missing does not fit into."""
    for name, limit in limited.items():
        free = max(limit.most - limit.used, 0)
        if needed.get(name, 0) <= free:
            continue
        word, option = QUOTAS[name]
        if name in ("volumes", "gigabytes") and wish.get("root_volume_size", 0) > 0:
            option = "root_volume_size"
        faults.error(option, f"The quota of {word} is too small: {needed[name]} more are needed, {free} are free, the"
                     f" limit is {limit.most}. Remedy: wish for less, delete what nobody uses, or ask the provider for"
                     " a larger quota (`openstack quota show --usage`).")


def size_of(servers: list[Any], cloud: Cloud, volumes: list[Any], addresses: int) -> dict[str, float]:
    """What there is, for the estimate. Servers name their flavor's size themselves where Nova is not very old."""
    by_id = {flavor.id: flavor for flavor in cloud.flavors}

    def part(server: Any, name: str) -> int:
        own = getattr(server.flavor, name, None)
        return int(own or getattr(by_id.get(getattr(server.flavor, "id", "")), name, None) or 0)

    attached = {volume.id for server in servers for volume in server.attached_volumes or []}
    counted = {volume.id: volume for volume in [*volumes, *(one for one in cloud.volumes if one.id in attached)]}
    return {"servers": len(servers), "cores": sum(part(server, "vcpus") for server in servers),
            "ram_gb": round(sum(part(server, "ram") for server in servers) / 1024, 1),
            "volume_gb": sum(volume.size for volume in counted.values()), "public_ips": addresses}


def estimate(cloud: Cloud, wish: Wish, machines: Machines, needed: dict[str, int]) -> dict[str, dict[str, float]]:
    """What there is now, what the wish comes to, and what is made for it."""
    cluster, counts = wish["cluster"], {"master": 1, "worker": wish["workers"]}
    sized = [(number, flavor) for role, number in counts.items() if (flavor := machines.flavors.get(role)) is not None]
    servers = sum(counts.values())
    return {
        "now": size_of(cloud.marked("servers", cluster), cloud, cloud.marked("volumes", cluster),
                       len(cloud.marked("floating_ips", cluster))),
        "wanted": {"servers": servers, "cores": sum(number * flavor.vcpus for number, flavor in sized),
                   "ram_gb": round(sum(number * flavor.ram for number, flavor in sized) / 1024, 1),
                   "volume_gb": wish["home_volume_size"] + servers * wish["root_volume_size"],
                   "public_ips": int(wish["floating_ip"])},
        "more": {"servers": needed["instances"], "cores": needed["cores"], "ram_gb": round(needed["ram"] / 1024, 1),
                 "volume_gb": needed["gigabytes"], "public_ips": needed["floating_ips"]},
    }

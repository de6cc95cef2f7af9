"""What the servers are made of: image, flavors, disks, zone, key and security groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_find import find, find_name, must_name
from ansible.module_utils.cloud_plan_keys import check_public_key, is_private, key_mark, same_key
from ansible.module_utils.cloud_plan_look import Cloud
from ansible.module_utils.cloud_plan_names import description, thing

Wish = dict[str, Any]  # the module's parameters


@dataclass
class Machines:
    """What the user's names mean; None where that is not clear."""

    image: Any = None
    flavors: dict[str, Any] = field(default_factory=dict)  # by role
    security_groups: list[Any] = field(default_factory=list)
    makes_key: bool = False  # a key pair of our own is wanted


def check_machines(cloud: Cloud, wish: Wish, faults: Faults) -> Machines:
    """What the options mean, and the faults of what they mean."""
    chosen = Machines(makes_key=not wish["key_name"])
    if wish["image"]:
        chosen.image = find(cloud, faults, "image", "image", wish["image"], "images")
        if chosen.image and chosen.image.status != "active":
            faults.error("image", f"'{wish['image']}' is {chosen.image.status}, and only an active image boots. Remedy:"
                         " another image, or wait until it is active.")
    else:
        must_name(cloud, faults, "image", "an image", "images")
    for role in ("master", "worker"):
        chosen.flavors[role] = check_flavor(cloud, wish, role, chosen.image, faults)
    check_zone(cloud, wish, faults)
    check_key(cloud, wish, faults)
    chosen.security_groups = check_groups(cloud, wish, faults)
    for option in ("home_volume_size", "root_volume_size"):
        size = wish[option]
        if size > 0 and not cloud.has_volumes:
            faults.error(option, f"{size} GB are wanted, and this cloud has no block storage service. Remedy: 0, and"
                         " the servers' own disks are used.")
        elif size < 0:
            faults.error(option, f"{size} GB cannot be. Remedy: a size in GB, or 0 for none.")
    return chosen


def check_flavor(cloud: Cloud, wish: Wish, role: str, image: Any, faults: Faults) -> Any:
    """The flavor of the master or of the workers."""
    option = f"{role}_flavor"
    if not wish[option]:
        must_name(cloud, faults, option, "a flavor", "flavors")
        return None
    flavor = find(cloud, faults, option, "flavor", wish[option], "flavors")
    if flavor is None:
        return None
    name, root_size = f"'{flavor.name}'", wish["root_volume_size"]
    if flavor.is_disabled:
        faults.error(option, f"{name} is disabled by the provider. Remedy: another flavor.")
    if not flavor.disk and not root_size:
        faults.error(option, f"{name} has no disk of its own. Remedy: set {faults.called('root_volume_size')} to the GB"
                     " that a root volume is to have, or another flavor.")
    disk = root_size or flavor.disk
    if image is not None and disk and (image.min_disk or 0) > disk:
        where = faults.called("root_volume_size") if root_size else f"{name}"
        faults.error("root_volume_size" if root_size else option, f"Image '{image.name}' needs a disk of"
                     f" {image.min_disk} GB, and {where} has {disk}. Remedy: a larger one, or another image.")
    if image is not None and (image.min_ram or 0) > flavor.ram:
        faults.error(option, f"Image '{image.name}' needs {image.min_ram} MB of memory, and {name} has {flavor.ram}."
                     " Remedy: a larger flavor, or another image.")
    return flavor


def check_zone(cloud: Cloud, wish: Wish, faults: Faults) -> None:
    """The availability zone has to be there and open."""
    wanted = wish["availability_zone"]
    if not wanted or "zones" in cloud.unseen:
        return
    if find_name(faults, "availability_zone", "availability zone", wanted, sorted(zone.name for zone in cloud.zones)):
        (zone,) = [zone for zone in cloud.zones if zone.name == wanted]
        if not (zone.state or {}).get("available", True):
            faults.error("availability_zone", f"'{wanted}' takes no servers now. Remedy: another zone, or none, and the"
                         " cloud chooses.")


def check_key(cloud: Cloud, wish: Wish, faults: Faults) -> None:
    """A named key pair has to be there; one of ours needs the public key, and must not be there with another."""
    names = sorted(pair.name for pair in cloud.key_pairs)
    if wish["key_name"]:
        if "key_pairs" not in cloud.unseen:
            find_name(faults, "key_name", "key pair of yours", wish["key_name"], names)
        if is_private(wish["public_key"]):
            check_public_key(wish["public_key"], faults)
        return
    ours = thing(wish["cluster"], "key pair")
    if check_public_key(wish["public_key"], faults):
        for pair in cloud.key_pairs:
            if pair.name == ours and key_mark(pair.public_key or "") != description(wish["cluster"]):
                faults.error("key_name", f"A key pair named '{ours}' is there ({pair.fingerprint}) and lacks the kit's"
                             f" mark, so it is never touched. Remedy: set {faults.called('key_name')} to '{ours}' to"
                             " use it, when you have its private key; or rename it.")
            elif pair.name == ours and not same_key(pair.public_key, wish["public_key"]):
                faults.error("public_key", f"The key pair '{ours}' is there with another key ({pair.fingerprint}), and"
                             " the servers made with it know only that one. Remedy: give that key; or set"
                             f" {faults.called('key_name')} to a key pair of yours; or, if no server needs it any more,"
                             f" `openstack keypair delete {ours}`.")


def check_groups(cloud: Cloud, wish: Wish, faults: Faults) -> list[Any]:
    """The existing security groups that all servers get too."""
    found = [find(cloud, faults, "security_groups", "security group", name, "security_groups")
             for name in wish["security_groups"]]
    return [group for group in found if group is not None]

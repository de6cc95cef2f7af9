"""What cluster_servers knows of servers: which are ours, which never ran, what a request for one holds, and what the
words of a failed boot ask for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.cloud_calls import oldest_first
from ansible.module_utils.cloud_errors import Problem, Remedies, known_remedy

NEEDED = ("image", "flavor", "networks")  # of a server that is to be made

BOOT_REMEDIES: Remedies = (
    (r"(?i)no valid host|exhausted all hosts|not enough (cpu|ram|disk)", "No host of the cloud has room for a server"
     " like this. Remedy: another flavor or availability_zone, or later again; ask the provider what is free."),
    (r"(?i)quota exceeded for|too many requests for|exceeds allowed \w+ quota", "Remedy: fewer or smaller servers,"
     " delete what nobody uses, or ask the provider for a larger quota; `openstack limits show --absolute` shows it."),
    (r"(?i)key_name|keypair", "Remedy: name a key of `openstack keypair list`; keys belong to a user, not a project."),
    (r"(?i)(disk|memory) is too small|smaller than .*min", "Remedy: a larger flavor, or root_volume_gb."),
    (r"(?i)volume-backed servers are allowed", "The flavor has no disk of its own. Remedy: give root_volume_gb."),
    (r"(?i)block device mapping|volume .* (did not|failed|error)|cinder", "Its root volume could not be made. Remedy:"
     " see `openstack volume list` and the quota of volumes, or root_volume_gb: 0."),
    (r"(?i)availability zone", "Remedy: one of `openstack availability zone list --compute`, or leave it out."),
    (r"(?i)failed to allocate the network|virtual interface creation|bind port|vif", "Its network was not connected."
     " Remedy: see whether the network has free addresses and the project free ports; run this again."),
    (r"(?i)user_?data", "Remedy: shorter user_data; Nova takes 64 KiB, encoded in base64."),
)


@dataclass(frozen=True)
class Wanted:
    """A server that the user named."""

    name: str
    options: Mapping[str, Any]
    request: Mapping[str, Any]  # what Nova is asked for

    def planned(self) -> dict[str, Any]:
        """How it is shown before it is there."""
        shown = ("image", "flavor", "networks", "availability_zone", "root_volume_gb")
        return {"name": self.name, "metadata": self.request["metadata"],
                **{key: self.options[key] for key in shown if self.options[key]}}


def bears(server: Any, mark: Mapping[str, str]) -> bool:
    """Whether a server is ours."""
    return mark.items() <= (server.metadata or {}).items()


def is_going(server: Any) -> bool:
    """Whether somebody has deleted it already."""
    return server.task_state == "deleting" or server.status in ("DELETED", "SOFT_DELETED")


def never_ran(server: Any) -> bool:
    """Whether it failed before anybody can have used it."""
    return server.status == "ERROR" and not server.launched_at


def said_of(server: Any) -> str:
    """Why it is in ERROR, in Nova's words."""
    return " ".join(str((server.fault or {}).get("message") or "Nova does not say why").split()).rstrip(".")


def failure_of(server: Any) -> str:
    """What is wrong with a server in ERROR, and what to do."""
    if never_ran(server):
        remedy = known_remedy(said_of(server), BOOT_REMEDIES) or "Remedy: run this again; if it stays, give the" \
            f" provider the server's ID {server.id}."
        return f"It could not be booted: {said_of(server)}. {remedy.replace('{name}', server.name)}"
    return f"It ran, and is in ERROR now: {said_of(server)}. It may hold work, so it is not made anew. Remedy:" \
           f" `openstack server reboot --hard {server.id}`; where that does not help, save what is in it, delete it" \
           " and run this again."


def faults_of_options(servers: list[dict[str, Any]], mark: Mapping[str, str], state: str) -> list[str]:
    """What is wrong with what the user wrote, without asking the cloud."""
    faults = [] if mark else ["mark is empty. Remedy: metadata that nothing but this cluster's servers bears."]
    names = [server["name"] for server in servers]
    faults += [f"servers names '{name}' {names.count(name)} times. Remedy: a name of its own for each."
               for name in sorted(set(names)) if names.count(name) > 1]
    if state == "absent":
        return faults
    for server in servers:
        missing = [key for key in NEEDED if not server[key]]
        if missing:
            faults.append(f"servers: '{server['name']}' has no {' and no '.join(missing)}. Remedy: give it.")
        other = {key: value for key, value in (server["metadata"] or {}).items() if mark.get(key, value) != value}
        faults += [f"servers: metadata of '{server['name']}' has {key}: {value}, and mark has {key}: {mark[key]}."
                   " Remedy: leave it out of metadata." for key, value in other.items()]
        if server["root_volume_gb"] < 0:
            faults.append(f"servers: root_volume_gb of '{server['name']}' is {server['root_volume_gb']}. Remedy: a"
                          " number of GB, or 0 for the flavor's disk.")
    return faults


def check_fit(options: Mapping[str, Any], resources: Mapping[tuple[str, str], Any]) -> None:
    """Refuse what Nova would refuse server by server."""
    image, flavor = resources["image", options["image"]], resources["flavor", options["flavor"]]
    name, volume = options["name"], options["root_volume_gb"]
    disk, what = (volume, "root_volume_gb") if volume else (flavor.disk, f"flavor '{flavor.name}'")
    if not disk:
        raise Problem(f"servers: '{name}': flavor '{flavor.name}' has no disk. Remedy: give root_volume_gb.")
    if (image.min_disk or 0) > disk:
        raise Problem(f"servers: '{name}': image '{image.name}' needs a disk of {image.min_disk} GB, and {what} has"
                      f" {disk}. Remedy: a larger flavor, or a root_volume_gb of {image.min_disk} or more.")
    if (image.min_ram or 0) > flavor.ram:
        raise Problem(f"servers: '{name}': image '{image.name}' needs {image.min_ram} MB of memory, and flavor"
                      f" '{flavor.name}' has {flavor.ram}. Remedy: a larger flavor.")


def request_for(options: Mapping[str, Any], mark: Mapping[str, str],
                resources: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """What Nova is asked for; resources are by kind and name."""
    image, volume = resources["image", options["image"]].id, options["root_volume_gb"]
    request: dict[str, Any] = {
        "name": options["name"], "flavor_id": resources["flavor", options["flavor"]].id,
        "networks": [{"uuid": resources["network", name].id} for name in options["networks"]],
        "metadata": {**(options["metadata"] or {}), **mark}}
    if volume:
        request["block_device_mapping"] = [{
            "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": volume,
            "boot_index": 0, "delete_on_termination": True}]
    else:
        request["image_id"] = image
    if options["security_groups"] is not None:
        request["security_groups"] = [
            {"name": resources["security group", name].id} for name in options["security_groups"]]
    if options["user_data"]:
        request["user_data"] = b64encode(options["user_data"].encode()).decode()
    request.update({key: options[key] for key in ("key_name", "availability_zone") if options[key]})
    return request


def describe(server: Any) -> dict[str, Any]:
    """A server as the module returns it."""
    return {"id": server.id, "name": server.name, "status": server.status, "metadata": dict(server.metadata or {}),
            "created": server.created_at, "addresses": [
                {"network": network, "address": one["addr"], "mac": one.get("OS-EXT-IPS-MAC:mac_addr"),
                 "type": one.get("OS-EXT-IPS:type")}
                for network, several in (server.addresses or {}).items() for one in several]}


def kept_first(servers: Iterable[Any]) -> list[Any]:
    """Namesakes of ours; all runs agree on the one that stays, which is the first."""
    return sorted(oldest_first(servers), key=never_ran)


def broken_or_surplus(servers: list[Any]) -> list[Any]:
    """Those of a name's servers, in the order of kept_first, that should not be."""
    return [server for server in servers if server is not servers[0] or never_ran(server)]


def building(seen: Mapping[str, list[Any]]) -> list[Any]:
    """The servers that are not built yet."""
    return [servers[0] for servers in seen.values() if servers and servers[0].status == "BUILD"]


def differences(server: Any, options: Mapping[str, Any],
                resources: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """In what a server that is there differs from what the user wants; nothing of it can be changed in place."""
    image, flavor = resources["image", options["image"]], resources["flavor", options["flavor"]]
    volume, found = options["root_volume_gb"], {}
    # Nova tells the flavor's name since 2.47, and its ID before
    if flavor.name != server.flavor.original_name and flavor.id != server.flavor.id:
        found["flavor"] = {"is": server.flavor.original_name or server.flavor.id, "wanted": flavor.name}
    is_image = server.image.id if server.image else None  # one that booted from a volume does not say of which image
    if is_image and image.id != is_image:
        found["image"] = {"is": is_image, "wanted": image.id}
    if bool(is_image) == bool(volume):
        found["root_volume_gb"] = {"is": 0 if is_image else "a volume", "wanted": volume}
    return found


def several(value: Any) -> list[str]:
    """What an option names, which takes one name, many or none."""
    return value if isinstance(value, list) else [value] if value else []


def texts(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """Metadata as Nova takes it."""
    return {key: str(value) for key, value in (metadata or {}).items()}


def refuse(faults: Iterable[str]) -> None:
    """Say all that is wrong, if anything is."""
    everything = " ".join(faults)
    if everything:
        raise Problem(everything)

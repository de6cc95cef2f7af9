"""A small project in a cloud, as openstacksdk would return it, and a wish that fits it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible.module_utils
import pytest

# As Ansible offers them: below ansible.module_utils.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[3] / "plugins" / "module_utils"))

from ansible.module_utils.cloud_plan_all import check_wish, plan_all  # noqa: E402 - found by the line above
from ansible.module_utils.cloud_plan_faults import Faults  # noqa: E402 - as above
from ansible.module_utils.cloud_plan_look import Cloud  # noqa: E402 - as above

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me@home"
MARK = "eocluster:eo"
WISH = {
    "cluster": "eo", "provision": True, "image": "Debian 12", "master_flavor": "small", "worker_flavor": "large",
    "workers": 2, "network": "", "network_cidr": "192.168.92.0/24", "external_network": "external", "floating_ip": True,
    "key_name": "", "public_key": KEY, "ssh_sources": ["192.0.2.7/32"], "security_groups": [], "home_volume_size": 100,
    "root_volume_size": 0, "availability_zone": "", "attach_network": "eodata", "servers": []}


class Make:
    """Things of a cloud, by kind. Everything can be said otherwise."""

    @staticmethod
    def thing(name: str, /, **more: Any) -> SimpleNamespace:
        return SimpleNamespace(**{"name": name, "id": f"{name}-id", "description": "", "project_id": "p", **more})

    def flavor(self, name: str, vcpus: int, ram: int, **more: Any) -> SimpleNamespace:
        return self.thing(name, **{"vcpus": vcpus, "ram": ram, "disk": 16, "is_disabled": False, **more})

    def image(self, name: str, **more: Any) -> SimpleNamespace:
        return self.thing(name, **{"status": "active", "min_disk": 0, "min_ram": 0, **more})

    def server(self, name: str, cluster: str = "eo", **more: Any) -> SimpleNamespace:
        role, flavor = ("master", "small") if "master" in name else ("worker", "large")
        mark = {"eocluster_cluster": cluster, "eocluster_role": role} if cluster else {}
        return self.thing(name, **{
            "status": "ACTIVE", "metadata": mark, "created_at": "2026-11-22T19:00:57Z", "attached_volumes": [],
            "launched_at": "2026-11-22T19:01:09",
            "addresses": {"eo-network": [{"addr": "192.168.92.9"}]}, "image": SimpleNamespace(id="Debian 12-id"),
            "flavor": SimpleNamespace(id=flavor, original_name=flavor, vcpus=1, ram=1024), **more})

    def port(self, device: SimpleNamespace, network: str, address: str, **more: Any) -> SimpleNamespace:
        return self.thing(f"{device.name}@{network}", **{
            "device_id": device.id, "device_owner": "compute:nova", "network_id": f"{network}-id",
            "fixed_ips": [{"subnet_id": f"{network}-subnet-id", "ip_address": address}], "security_group_ids": [],
            **more})

    def network(self, name: str, **more: Any) -> SimpleNamespace:
        return self.thing(name, **{"is_router_external": False, **more})

    def subnet(self, network: str, cidr: str, first: str, last: str, **more: Any) -> SimpleNamespace:
        return self.thing(f"{network}-subnet", **{
            "network_id": f"{network}-id", "cidr": cidr, "ip_version": 4,
            "allocation_pools": [{"start": first, "end": last}], **more})

    def group(self, name: str, *rules: dict[str, Any], **more: Any) -> SimpleNamespace:
        return self.thing(name, **{"security_group_rules": list(rules), **more})

    def volume(self, name: str, size: int, *servers: SimpleNamespace, cluster: str = "eo", **more: Any) -> Any:
        return self.thing(name, **{
            "size": size, "status": "available", "metadata": {"eocluster_cluster": cluster} if cluster else {},
            "created_at": "2026-11-22T19:00:57Z", "attachments": [{"server_id": one.id} for one in servers], **more})

    def address(self, text: str, port: SimpleNamespace | None = None, **more: Any) -> SimpleNamespace:
        return self.thing(text, **{"floating_ip_address": text, "port_id": port.id if port else None, **more})

    def cloud(self, **more: Any) -> Cloud:
        """A project without servers, in a cloud with all that WISH names."""
        plenty = {"limit": 100, "used": 1, "reserved": 0}
        return Cloud(**{
            "project_id": "p", "roles": ["member"],
            "flavors": [self.flavor("small", 1, 1024), self.flavor("large", 4, 8192)],
            "images": [self.image("Debian 12")],
            "zones": [SimpleNamespace(name="nova", state={"available": True})],
            "networks": [self.network("external", is_router_external=True, project_id="other"),
                         self.network("eodata", project_id="other")],
            "subnets": [self.subnet("eodata", "10.111.0.0/16", "10.111.0.2", "10.111.255.254", project_id="other")],
            "compute_limits": SimpleNamespace(instances=10, instances_used=1, total_cores=100, total_cores_used=1,
                                              total_ram=102400, total_ram_used=1, keypairs=10),
            "volume_limits": SimpleNamespace(max_total_volumes=10, total_volumes_used=1,
                                             max_total_volume_gigabytes=1000, total_gigabytes_used=1),
            "network_quota": SimpleNamespace(**dict.fromkeys((
                "networks", "subnets", "routers", "ports", "security_groups", "security_group_rules",
                "floating_ips"), plenty)),
            **more})

    def whole(self, **more: Any) -> Cloud:
        """The project after WISH was carried out."""
        cloud = self.cloud()
        servers = [self.server(name) for name in ("eo-master001", "eo-worker001", "eo-worker002")]
        router = self.thing("eo-router", description=MARK, external_gateway_info={"network_id": "external-id"})
        group = self.group("eo-nodes", self.rule(protocol="tcp", port_range_min=22, port_range_max=22,
                                                 remote_ip_prefix="192.0.2.7/32"),
                           self.rule(remote_group_id="eo-nodes-id"), description=MARK)
        ports = [self.port(server, "eo-network", f"192.168.92.{10 + number}", security_group_ids=[group.id])
                 for number, server in enumerate(servers)]
        ports += [self.port(server, "eodata", f"10.111.0.{10 + number}") for number, server in enumerate(servers)]
        ports += [self.port(router, "eo-network", "192.168.92.1", device_owner="network:router_interface")]
        subnet = self.subnet("eo-network", "192.168.92.0/24", "192.168.92.2", "192.168.92.254", name="eo-network",
                             description=MARK)
        return self.cloud(**{
            "servers": servers, "ports": ports, "routers": [router], "security_groups": [group],
            "key_pairs": [SimpleNamespace(name="eo-key", public_key=KEY.replace("me@home", MARK), fingerprint="aa:bb")],
            "networks": [*cloud.networks, self.network("eo-network", description=MARK)],
            "subnets": [*cloud.subnets, subnet], "volumes": [self.volume("eo-home", 100, servers[0])],
            "floating_ips": [self.address("198.51.100.7", ports[0], description=MARK)], **more})

    @staticmethod
    def rule(**more: Any) -> dict[str, Any]:
        return {"direction": "ingress", "ethertype": "IPv4", "protocol": None, "port_range_min": None,
                "port_range_max": None, "remote_ip_prefix": None, "remote_group_id": None, **more}


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def plan() -> Callable[..., dict[str, Any]]:
    """Everything that the module would return for a cloud and a wish."""
    def planned(cloud: Cloud, variables: dict[str, str] | None = None, **wish: Any) -> dict[str, Any]:
        faults = Faults(variables)
        result = plan_all(cloud, check_wish({**WISH, **wish}, faults), faults)
        return {**result, "faults": faults.found}
    return planned


@pytest.fixture
def told(plan: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, list[str]]]:
    """The texts of the faults that a cloud and a wish have, by severity."""
    def texts(cloud: Cloud, variables: dict[str, str] | None = None, **wish: Any) -> dict[str, list[str]]:
        found = plan(cloud, variables, **wish)["faults"]
        return {severity: [fault["text"] for fault in found if fault["severity"] == severity]
                for severity in ("ERROR", "WARNING")}
    return texts

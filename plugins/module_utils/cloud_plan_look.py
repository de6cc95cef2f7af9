"""One look at the cloud: every list once, all at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.cloud_calls import PARALLEL
from ansible.module_utils.cloud_errors import FAILURES, Problem, explain
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_names import cluster_of

MAKING_ROLES = {"member", "_member_", "admin", "manager"}  # with which a project's things can be made


def is_needed(name: str) -> bool:
    """Whether there can be no plan without this list; limits and zones are only checked against."""
    return not name.endswith(("limits", "quota", "zones"))


@dataclass
class Cloud:
    """What a project has and may use, as openstacksdk returns it."""

    project_id: str = ""
    roles: list[str] = field(default_factory=list)
    has_volumes: bool = True
    servers: list[Any] = field(default_factory=list)
    flavors: list[Any] = field(default_factory=list)
    zones: list[Any] = field(default_factory=list)
    key_pairs: list[Any] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    networks: list[Any] = field(default_factory=list)
    subnets: list[Any] = field(default_factory=list)
    ports: list[Any] = field(default_factory=list)
    routers: list[Any] = field(default_factory=list)
    security_groups: list[Any] = field(default_factory=list)
    floating_ips: list[Any] = field(default_factory=list)
    volumes: list[Any] = field(default_factory=list)
    compute_limits: Any = None
    network_quota: Any = None
    volume_limits: Any = None
    unseen: set[str] = field(default_factory=set)  # which of these lists the cloud did not give

    @property
    def is_whole(self) -> bool:
        """Whether everything was seen that a plan is made of."""
        return not any(is_needed(name) for name in self.unseen)

    def subnets_of(self, network: Any) -> list[Any]:
        """The subnets of a network."""
        return [subnet for subnet in self.subnets if subnet.network_id == network.id]

    def ports_on(self, network: Any, device_id: str) -> list[Any]:
        """The ports that a server or router has on a network."""
        return [port for port in self.ports if port.network_id == network.id and port.device_id == device_id]

    def marked(self, kind: str, cluster: str) -> list[Any]:
        """What of a kind (a list's name) bears the cluster's mark, in this project, sorted by name."""
        mine = [one for one in getattr(self, kind) if cluster and cluster_of(one) == cluster and self.owns(one)]
        return sorted(mine, key=lambda one: (one.name or "", one.id))

    def owns(self, resource: Any) -> bool:
        """Whether it is this project's; an administrator sees everybody's."""
        return not self.project_id or (getattr(resource, "project_id", None) or self.project_id) == self.project_id


def questions(conn: Any, has_volumes: bool) -> dict[str, Callable[[], Any]]:
    """What is asked, by the name that it has in Cloud."""
    mine = {"project_id": conn.current_project_id}
    compute, network = conn.compute, conn.network
    asked: dict[str, Callable[[], Any]] = {
        "servers": lambda: list(compute.servers()),
        "flavors": lambda: list(compute.flavors()),
        "zones": lambda: list(compute.availability_zones()),
        "key_pairs": lambda: list(compute.keypairs()),
        "compute_limits": lambda: compute.get_limits().absolute,
        "images": lambda: list(conn.image.images()),
        "networks": lambda: list(network.networks()),
        "subnets": lambda: list(network.subnets()),
        "ports": lambda: list(network.ports(**mine)),
        "routers": lambda: list(network.routers(**mine)),
        "security_groups": lambda: list(network.security_groups(**mine)),
        "floating_ips": lambda: list(network.ips(**mine)),
        "network_quota": lambda: network.get_quota(conn.current_project_id, details=True),
    }
    if has_volumes:
        asked["volumes"] = lambda: list(conn.block_storage.volumes())
        asked["volume_limits"] = lambda: conn.block_storage.get_limits().absolute
    return asked


def look(conn: Any, repeat: Callable[[Callable[[], Any]], Any], faults: Faults) -> Cloud:
    """What the cloud has. A list that it does not give is a fault, and named in `unseen`, so that nothing is said of
    what could not be seen. Failures of the first request, for a token, are raised."""
    access = repeat(lambda: conn.session.auth.get_access(conn.session))
    if not conn.current_project_id:
        raise Problem("the credentials are for no project: project_name or project_id is missing")
    kinds = {service["type"] for service in access.service_catalog.catalog}
    has_volumes = any(kind.startswith(("volume", "block-s")) for kind in kinds)
    cloud = Cloud(project_id=conn.current_project_id, roles=list(access.role_names), has_volumes=has_volumes)
    asked = questions(conn, has_volumes)

    def answer(name: str) -> Any:
        try:
            return repeat(asked[name])
        except FAILURES as error:
            return error

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = dict(zip(asked, pool.map(answer, asked), strict=True))
    for name, found in answers.items():
        if not isinstance(found, FAILURES):
            setattr(cloud, name, found)
            continue
        cloud.unseen.add(name)
        tell = faults.error if is_needed(name) else faults.warning
        tell("cloud", f"{name.replace('_', ' ')} could not be looked at, and nothing was checked that needs them:"
             f" {explain(found, name)}")
    check_roles(cloud, faults)
    return cloud


def check_roles(cloud: Cloud, faults: Faults) -> None:
    """Credentials that may only read are told before something is made with them."""
    if cloud.roles and not MAKING_ROLES & {role.lower() for role in cloud.roles}:
        faults.warning("cloud", f"These credentials have the roles {', '.join(sorted(cloud.roles))}, which by"
                       " OpenStack's usual policy may look but make nothing. Remedy: credentials with the role member;"
                       " an application credential has the roles that it was made with.")

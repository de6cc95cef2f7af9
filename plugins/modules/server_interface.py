#!/usr/bin/python
"""Plugs a network, or a port, into servers that exist already; openstack.cloud has no module that does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

from ansible.module_utils.cloud_calls import CloudModule, choose, is_uuid, oldest_first
from ansible.module_utils.cloud_errors import NOT_FOUND, Problem, Remedies

DOCUMENTATION = r"""
module: server_interface
short_description: Attach a network or a port to existing OpenStack servers, or detach it
author: The eocluster project
description:
  - Sees to it that each server has an interface on a network (or has the given port), or that it has none.
  - Nova attaches the same network a second time without a word. This module looks at the interfaces that a server has
    before it attaches, and again afterwards. When two runs attach at the same time, the older port stays and the run
    that made the younger one takes it off again.
  - All servers of one task are attached at the same time over one authenticated connection, which is many times faster
    than a task, or a command, for each server.
  - Interfaces on other networks, and everything else of the servers, are left as they are.
options:
  server:
    description: Names or IDs of the servers. More than one only with O(network) and without O(fixed_ips).
    type: list
    elements: str
    required: true
    aliases: [servers]
  network:
    description:
      - Name or ID of the network, which may be another project's that is shared with yours.
      - A server that has interfaces on it already, however they were made, is left as it is; all of them are returned.
      - O(state=absent) takes off every interface on this network.
    type: str
  port:
    description:
      - Name or ID of an existing port to plug in. It has to be of the server's project.
      - It is not deleted by O(state=absent). A port that Nova made when it attached a network is.
    type: str
  fixed_ips:
    description:
      - The address that the new interface is to have; Nova takes one. For more, make a port and give O(port).
      - When the server is on the network already, but with other addresses, the module fails rather than change the
        address of a running machine.
      - On a network of another project only its owner may choose addresses, in OpenStack's standard policy.
    type: list
    elements: dict
    suboptions:
      ip_address:
        description: The address.
        type: str
        required: true
  security_groups:
    description:
      - Names or IDs of the security groups that the interfaces on this network are to have. An empty list means none.
      - Without it, a new interface gets the project's default group, and an existing one keeps what it has.
      - An existing interface with other groups is changed, given ports included. Other networks' interfaces are not.
      - Nova cannot attach with groups, so a new interface has the default group for a moment.
    type: list
    elements: str
  state:
    description: Whether the interface is to be there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - O(wait) waits until Neutron says that the ports of running servers are ACTIVE, or that detached ones are off. A
    server that does not run gets its interface, but the port becomes ACTIVE only when it is started.
  - O(timeout) bounds the whole task, in seconds. What passes by itself (a server that is being built, HTTP 429, 500,
    502, 503, 504, a broken connection) is tried again within it. O(api_timeout) bounds one request; without it, a
    request to an API that accepts connections but never answers waits for ever.
  - A failure names each server that failed and why. The other servers have been served, and RV(interfaces) of the
    failed result holds theirs.
  - Nothing tells the machine inside of its new interface. Configure it there.
extends_documentation_fragment:
  - openstack.cloud.openstack
"""

EXAMPLES = r"""
- name: Attach the EO data network to all nodes at once
  server_interface:
    cloud: mycloud
    servers: "{{ groups['slurm_master'] + groups['slurm_worker'] }}"
    network: eodata_00341_3
  register: attached
  delegate_to: localhost
  run_once: true

- name: Show this node's new MAC address
  ansible.builtin.debug:
    msg: "{{ attached.interfaces | selectattr('server_name', '==', inventory_hostname) | map(attribute='mac_addr') }}"

- name: Attach with an address and a security group of our choice
  server_interface:
    cloud: mycloud
    server: mycluster-master001
    network: storage
    fixed_ips:
      - ip_address: 10.20.0.10
    security_groups: [storage]

- name: Plug in a port that was made before
  server_interface:
    cloud: mycloud
    server: mycluster-master001
    port: master-port

- name: Detach the EO data network
  server_interface:
    cloud: mycloud
    servers: [mycluster-worker003, mycluster-worker004]
    network: eodata_00341_3
    state: absent
"""

RETURN = r"""
interfaces:
  description:
    - The interfaces that the servers have on the network (or the given port), oldest first, server after server in the
      order of O(server). In check mode those of now. Empty after O(state=absent).
  returned: always, unless nothing could be looked at
  type: list
  elements: dict
  contains:
    server_id: {description: ID of the server., type: str}
    server_name: {description: Name of the server., type: str}
    port_id: {description: ID of the port., type: str}
    port_state: {description: State of the port in Neutron's words., type: str, sample: ACTIVE}
    net_id: {description: ID of the network., type: str}
    mac_addr: {description: MAC address, by which the machine inside finds its new interface., type: str}
    fixed_ips:
      description: Addresses with their subnets.
      type: list
      elements: dict
      sample: [{ip_address: 10.111.1.238, subnet_id: 7dcbaed9-128b-4221-84d1-c9cf7298817a}]
    security_group_ids: {description: IDs of the port's security groups., type: list, elements: str}
network:
  description:
    - The network of the interfaces, with what a machine needs to configure one of them by hand.
    - A subnet that these credentials may not see is left out.
  returned: always, unless nothing could be looked at
  type: dict
  contains:
    id: {description: ID of the network., type: str}
    name: {description: Name of the network., type: str}
    mtu: {description: Bytes of the largest packet that it carries., type: int, sample: 1450}
    subnets:
      description: Its subnets, in the order of their names.
      type: list
      elements: dict
      contains:
        id: {description: ID of the subnet., type: str}
        cidr: {description: Its addresses., type: str, sample: 10.111.0.0/16}
        ip_version: {description: 4 or 6., type: int}
        gateway_ip: {description: Its router's address. None where it has no router., type: str}
        is_dhcp_enabled: {description: Whether machines are told their address by DHCP., type: bool}
        host_routes:
          description: The routes that machines are to take over this subnet.
          type: list
          elements: dict
          sample: [{destination: 10.0.0.0/8, nexthop: 10.111.0.1}]
        dns_nameservers: {description: Addresses of its name servers., type: list, elements: str}
failures:
  description: One message a server that failed, by its name.
  returned: when servers failed
  type: dict
"""

SERVERS_A_QUESTION = 50  # IDs in one URL; many web servers take no more than 8 kB of it
PORT = ["id", "status", "network_id", "mac_address", "fixed_ips", "security_groups", "created_at", "device_id"]
SUBNET = ("id", "cidr", "ip_version", "gateway_ip", "is_dhcp_enabled", "host_routes", "dns_nameservers")

REMEDIES: Remedies = (
    (r"vm_state (?!building|error)\w+", "Nova changes interfaces only of servers that are ACTIVE, PAUSED or SHUTOFF."
     " Remedy: resume, unshelve or unrescue {name}, whichever its state asks for, and run this again."),
    (r"(?i)fixed ip .* in use", "Remedy: another address in fixed_ips, or none, and one is chosen."),
    (r"create_port:fixed_ips", "Only a network's owner may choose addresses on it. Remedy: leave fixed_ips out."),
    (r"not usable for instance", "A port has to be of the same project as its server. Remedy: make one there."),
    (r"(?i)port .* in use", "It was plugged into another server meanwhile. Remedy: give another port."),
    (r"(?i)port security must be enabled", "This network has no security groups. Remedy: leave security_groups out."),
)


def is_surplus(mine: str, ports: Iterable[Any]) -> bool:
    """Whether the port that this run attached came second to another run's on the same network."""
    return any(port.id == mine for port in oldest_first(ports)[1:])


def addresses(ports: Iterable[Any]) -> list[str]:
    """All addresses of the ports."""
    return [fixed["ip_address"] for port in ports for fixed in port.fixed_ips]


def describe(server: Any, port: Any) -> dict[str, Any]:
    """A port as this module returns it; the names are those of Nova's interface attachments."""
    return {"server_id": server.id, "server_name": server.name, "port_id": port.id, "port_state": port.status,
            "net_id": port.network_id, "mac_addr": port.mac_address, "fixed_ips": port.fixed_ips,
            "security_group_ids": sorted(port.security_group_ids or [])}


Seen = dict[str, list[Any]]  # the ports of interest, oldest first, by server ID


class ServerInterfaceModule(CloudModule):
    """See DOCUMENTATION."""

    argument_spec = {
        "server": {"type": "list", "elements": "str", "required": True, "aliases": ["servers"]},
        "network": {},
        "port": {},
        "fixed_ips": {"type": "list", "elements": "dict", "options": {"ip_address": {"required": True}}},
        "security_groups": {"type": "list", "elements": "str"},
        "state": {"choices": ["present", "absent"], "default": "present"},
    }
    module_kwargs = {
        "mutually_exclusive": [("network", "port"), ("port", "fixed_ips")],
        "required_one_of": [("network", "port")],
        "supports_check_mode": True,
    }

    remedies = REMEDIES

    def work(self) -> dict[str, Any]:
        """Find, look, act, look again."""
        self._find()
        before = self._look()
        result = self._absent(before) if self.params["state"] == "absent" else self._present(before)
        return {**result, "network": self._described_network()}

    def subject(self) -> str:
        """The servers."""
        return ", ".join(self.params["server"])

    # What the user named

    def _find(self) -> None:
        """Turn names into resources, and refuse what cannot be done before anything is touched."""
        names, groups = self.params["server"], self.params["security_groups"]
        self.address = self._wanted_address()
        if self.params["port"] and len(names) > 1:
            raise Problem(f"port can be in one server, and server names {len(names)}. Remedy: a task for each port.")
        servers, (self.network, self.port), group_ids = self.together(
            lambda: self._servers(names), self._network_and_port, lambda: self._groups(groups or []))
        self.servers = list({server.id: server for server in servers}.values())  # one may be named twice
        self.groups = None if groups is None else sorted(group_ids)
        self.query = {"id": self.port.id} if self.port else {"network_id": self.network.id}
        self.subnets = sorted(self.list_all(self.conn.network.subnets, network_id=self.network.id),
                              key=lambda subnet: (subnet.name, subnet.id))
        self._check_port_is_free()
        self._check_address()

    def _wanted_address(self) -> str | None:
        wanted = [fixed["ip_address"] for fixed in self.params["fixed_ips"] or []]
        if not wanted:
            return None
        if len(wanted) > 1 or len(self.params["server"]) > 1:
            raise Problem(f"fixed_ips has {len(wanted)} addresses for {len(self.params['server'])} servers, and Nova"
                          " takes one for one. Remedy: a task for each server; for more addresses make a port and give"
                          " port.")
        try:
            return str(ip_address(wanted[0]))
        except ValueError:
            raise Problem(f"fixed_ips: '{wanted[0]}' is no IP address. Remedy: give one, or leave it out.") from None

    def _servers(self, names: list[str]) -> list[Any]:
        everything = self.list_all(self.conn.compute.servers)
        return self.together(*(partial(self._server, name, everything) for name in names))

    def _server(self, name: str, everything: list[Any]) -> Any:
        """A server of the project, or, for an administrator, any server by its ID."""
        if is_uuid(name) and all(server.id != name for server in everything):
            try:
                return self.repeat(partial(self.conn.compute.get_server, name))
            except NOT_FOUND:
                pass  # choose() says it with the candidates
        return choose("server", name, everything)

    def _network_and_port(self) -> tuple[Any, Any]:
        """The network, and the port where one is given."""
        if not self.params["port"]:
            return self.find("network", self.params["network"], self.conn.network.networks), None
        port = self.find("port", self.params["port"], self.conn.network.ports)
        return self.find("network", port.network_id, self.conn.network.networks), port

    def _groups(self, names: list[str]) -> list[str]:
        """IDs of security groups. An administrator sees a `default` of every project; ours is meant."""
        ours = {"project_id": self.conn.current_project_id}
        groups = self.together(*(partial(self.find, "security group", name, self.conn.network.security_groups, **ours)
                                 for name in names))
        return [group.id for group in groups]

    def _check_port_is_free(self) -> None:
        if self.port is None or self.params["state"] == "absent":
            return
        holder = self.port.device_id
        if holder and holder != self.servers[0].id:
            raise Problem(f"port '{self.params['port']}' is plugged into {holder} ({self.port.device_owner}). Remedy:"
                          " detach it there first, or give another port.")

    def _check_address(self) -> None:
        """Nova answers an address outside of the network with HTTP 500."""
        if self.address and not any(ip_address(self.address) in ip_network(subnet.cidr) for subnet in self.subnets):
            cidrs = ", ".join(subnet.cidr for subnet in self.subnets) or "none"
            raise Problem(f"fixed_ips: {self.address} is in no subnet of network '{self.params['network']}', which has"
                          f" {cidrs}. Remedy: an address of these, or none, and one is chosen.")

    # What is there

    def _look(self) -> Seen:
        """Ask Neutron, for all servers at once; Nova's own list lags behind it."""
        ids = [server.id for server in self.servers]
        found: Seen = {server_id: [] for server_id in ids}
        for start in range(0, len(ids), SERVERS_A_QUESTION):
            # Neutron asks its rules about each field of each port; fewer fields are a third of its work
            query = {**self.query, "fields": PORT, "device_id": ids[start:start + SERVERS_A_QUESTION]}
            for port in self.list_all(self.conn.network.ports, **query):
                found[port.device_id].append(port)
        return {server_id: oldest_first(ports) for server_id, ports in found.items()}

    def _described_network(self) -> dict[str, Any]:
        return {"id": self.network.id, "name": self.network.name, "mtu": self.network.mtu,
                "subnets": [{key: getattr(subnet, key) for key in SUBNET} for subnet in self.subnets]}

    def _described(self, seen: Seen) -> list[dict[str, Any]]:
        return [describe(server, port) for server in self.servers for port in seen[server.id]]

    def _result(self, changed: bool, before: Seen, after: Seen,
                planned: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """What the module returns; the diff shows what is `planned`, where nothing was done."""
        now = self._described(after)
        return {"changed": changed, "interfaces": now, "diff": {
            "before": {"interfaces": self._described(before)},
            "after": {"interfaces": now if planned is None else planned}}}

    # What is to be done

    def _present(self, before: Seen) -> dict[str, Any]:
        self._refuse_other_addresses(before)
        missing = [server for server in self.servers if not before[server.id]]
        if self.check_mode:
            planned = self._plan(before, missing)
            return self._result(planned != self._described(before), before, before, planned)
        attached = {server.id: port_id for server, port_id in self.in_parallel(self._attach, missing)}
        after = self._look() if attached else before
        surplus = {server_id: [port for port in after[server_id] if port.id == port_id]
                   for server_id, port_id in attached.items() if is_surplus(port_id, after[server_id])}
        if surplus:
            self._detach(surplus)
            after = self._look()
        regrouped = self._set_groups(after)
        if regrouped:
            after = self._look()
        if self.params["wait"]:
            after = self._wait_until_active(after, set(attached.values()))
        return self._result(len(attached) > len(surplus) or regrouped, before, after)

    def _plan(self, before: Seen, missing: list[Any]) -> list[dict[str, Any]]:
        """What the interfaces would be; IDs and addresses that the cloud is still to choose are left out."""
        groups = {} if self.groups is None else {"security_group_ids": self.groups}
        address = {"fixed_ips": [{"ip_address": self.address}]} if self.address else {}
        planned = [{**entry, **groups} for entry in self._described(before)]
        for server in missing:
            new = describe(server, self.port) if self.port else {
                "server_id": server.id, "server_name": server.name, "net_id": self.network.id, **address}
            planned.append({**new, **groups})
        return planned

    def _absent(self, before: Seen) -> dict[str, Any]:
        changed = any(before.values())
        if self.check_mode or not changed:
            return self._result(changed, before, before, planned=[])
        accepted = self._detach(before)
        return self._result(bool(accepted), before, self._look())

    def _refuse_other_addresses(self, before: Seen) -> None:
        """A machine may be in use by the address it has."""
        has = addresses(before[self.servers[0].id])
        if self.address and has and ip_address(self.address) not in map(ip_address, has):
            raise Problem(f"{self.servers[0].name} is on network '{self.params['network']}' already, with"
                          f" {', '.join(has)} and not {self.address}. Remedy: leave fixed_ips out, or detach it first"
                          " (state: absent).")

    # How it is done

    def _attach(self, server: Any) -> str:
        """Attach to one server; the port's ID."""
        request: dict[str, Any] = {"port_id": self.port.id} if self.port else {"net_id": self.network.id}
        if self.address:
            request["fixed_ips"] = [{"ip_address": self.address}]

        def attached_already() -> str | None:
            # a request that failed for us may have succeeded for Nova; a repeat would attach a second time
            ports = oldest_first(self.conn.network.ports(device_id=server.id, **self.query))
            return str(ports[0].id) if ports else None

        def attach() -> str:
            return str(self.conn.compute.create_server_interface(server.id, **request).port_id)

        return str(self.repeat(attach, attached_already))

    def _detach(self, seen: Seen) -> set[str]:
        """Detach the ports and, with wait, see them gone; the IDs of those that Nova takes off."""
        def detach(server: Any) -> list[str]:
            ids = [port.id for port in seen[server.id]]
            for port_id in ids:
                self.repeat(partial(self.conn.compute.delete_server_interface, port_id, server.id))
            return ids

        answers = self.in_parallel(detach, [server for server in self.servers if seen.get(server.id)])
        going = {port_id for _, ids in answers for port_id in ids}

        def still_there(_: Any, port: Any) -> bool:
            return port.id in going

        if self.params["wait"]:
            self._wait(still_there, "Nova accepted to detach it, but it is still there after {timeout} s. Remedy: see"
                       " whether the machine hangs (`openstack console log show {server}`), stop it, run this again.")
        return going

    def _set_groups(self, seen: Seen) -> bool:
        """Give all interfaces the wanted groups; whether one was changed."""
        if self.groups is None:
            return False
        other = {server_id: [port.id for port in ports if sorted(port.security_group_ids or []) != self.groups]
                 for server_id, ports in seen.items()}

        def update(server: Any) -> None:
            for port_id in other[server.id]:
                self.repeat(partial(self.conn.network.update_port, port_id, security_groups=self.groups))

        return bool(self.in_parallel(update, [server for server in self.servers if other[server.id]]))

    def _wait_until_active(self, seen: Seen, attached: set[str]) -> Seen:
        """What is seen when the ports just attached are ACTIVE. Those of servers that do not run never are."""
        def inactive(server: Any, port: Any) -> bool:
            return port.id in attached and server.status == "ACTIVE" and port.status != "ACTIVE"

        if not any(inactive(server, port) for server in self.servers for port in seen[server.id]):
            return seen
        return self._wait(inactive, "It is attached, but its port is not ACTIVE after {timeout} s. Remedy: look inside"
                          " the machine; ask the provider where it has no new interface; `wait: false` where the cloud"
                          " never says ACTIVE.")

    def _wait(self, unfinished: Callable[[Any, Any], bool], message: str) -> Seen:
        """Look until no server has an unfinished port; for those that have at the end, `message` is the failure."""
        for _ in self.pauses():
            seen = self._look()
            left = [server.name for server in self.servers if any(unfinished(server, port) for port in seen[server.id])]
            if not left:
                return seen
        self.failures.update((name, message.format(timeout=self.params["timeout"], server=name)) for name in left)
        return seen


def main() -> None:
    """Run the module."""
    ServerInterfaceModule()()


if __name__ == "__main__":
    main()

#!/usr/bin/python
"""Plugs a network, or a port, into servers that exist already; openstack.cloud has no module that does."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.openstack.cloud.plugins.module_utils.openstack import OpenStackModule

try:
    from keystoneauth1.exceptions import ClientException, RetriableConnectionFailure
    from openstack.exceptions import NotFoundException, SDKException
    API_ERRORS: tuple[type[Exception], ...] = (ClientException, SDKException)
    CONNECTION_ERRORS: tuple[type[Exception], ...] = (RetriableConnectionFailure,)
except ImportError:  # OpenStackModule says that openstacksdk is missing, before these are used
    API_ERRORS = CONNECTION_ERRORS = ()

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
failures:
  description: One message a server that failed, by its name.
  returned: when servers failed
  type: dict
"""

PARALLEL = 10            # requests at a time; the connection pool below openstacksdk has as many
SERVERS_A_QUESTION = 50  # IDs in one URL; many web servers take no more than 8 kB of it
CANDIDATES_SHOWN = 10
REPEATS = 5              # of a request whose failure may pass, so that a failure that stays is told soon
LONGEST_PAUSE = 8.0      # seconds between two repeats
PASSING_STATUS = frozenset({429, 500, 502, 503, 504})

# Nova refuses for as long as it is at work on the server itself.
BUSY = re.compile(r"vm_state building|while it is in task_state")

# What the API says, and what that means and asks for. The first that fits is taken; {server} is filled in.
REMEDIES = (
    (r"vm_state error", "The server is in ERROR. Remedy: see why with `openstack server show {server} -c fault`; delete"
     " and make it anew, or ask the provider to reset its state."),
    (BUSY.pattern, "Nova is still at work on the server. Remedy: wait until `openstack server show {server}` says"
     " ACTIVE and run this again, or raise timeout."),
    (r"vm_state \w+", "Nova changes interfaces only of servers that are ACTIVE, PAUSED or SHUTOFF. Remedy: resume,"
     " unshelve or unrescue {server}, whichever its state asks for, and run this again."),
    (r"is locked", "Remedy: `openstack server unlock {server}`; who locked it may have had a reason."),
    (r"(?i)maximum number of ports|quota exceeded", "The project's quota of ports is reached. Remedy: delete ports that"
     " nobody uses (`openstack port list --device-owner ''`), or ask the provider for a larger quota."),
    (r"(?i)no fixed ip addresses available|no more ip addresses", "Every address of the network is taken. Remedy:"
     " detach machines that do not need it, or ask the network's owner for another subnet."),
    (r"(?i)fixed ip .* in use", "Remedy: another address in fixed_ips, or none, and one is chosen."),
    (r"create_port:fixed_ips", "Only a network's owner may choose addresses on it. Remedy: leave fixed_ips out."),
    (r"(?i)external network", "It is for routers and floating IPs. Remedy: name one of the project's or a shared one."),
    (r"(?i)subnet associated", "The network has no subnet to take an address from. Remedy: make one in it."),
    (r"not usable for instance", "A port has to be of the same project as its server. Remedy: make one there."),
    (r"(?i)port .* in use", "It was plugged into another server meanwhile. Remedy: give another port."),
    (r"(?i)certificate|ssl", "Remedy: name the file with the provider's CA in ca_cert, or as cacert in clouds.yaml."),
    (r"(?i)port security must be enabled", "This network has no security groups. Remedy: leave security_groups out."),
)
REMEDY_BY_STATUS = {
    401: "The credentials are not accepted. Remedy: check cloud or auth; an application credential may have expired.",
    403: "These credentials may not do that. Remedy: use some with the role `member` in the server's project; an"
         " application credential has the roles it was made with.",
    404: "It was deleted meanwhile. Remedy: run this again.",
    429: "The API asks for fewer requests. Remedy: wait a minute and run this again.",
}


class Problem(Exception):
    """What is wrong and what to do, for the user."""


FAILURES: tuple[type[Exception], ...] = (Problem, *API_ERRORS)


def status_of(error: Exception) -> int:
    """The HTTP status of an error of openstacksdk's or of keystoneauth's; 0 where there was no answer."""
    return getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0


def said_by(error: Exception) -> str:
    """The API's own words, without the URLs that openstacksdk puts around them."""
    return " ".join(str(getattr(error, "details", None) or error).split())


def known_remedy(error: Exception) -> str | None:
    """What the words of the API ask for, where they are known."""
    return next((remedy for pattern, remedy in REMEDIES if re.search(pattern, said_by(error))), None)


def explain(error: Exception, server: str) -> str:
    """What the API said, what it means, and what to do."""
    if isinstance(error, Problem):
        return str(error)
    status = status_of(error)
    if isinstance(error, CONNECTION_ERRORS):
        remedy = "The API does not answer. Remedy: check the address in cloud or auth and the way to it (VPN, proxy);" \
                 " raise api_timeout where the API is slow."
    elif status >= 500:
        remedy = "The cloud itself failed. Remedy: run this again later; if it stays, give the provider the request" \
                 f" {getattr(error, 'request_id', None) or 'and its time'}."
    else:
        remedy = known_remedy(error) or REMEDY_BY_STATUS.get(status, "")
    code = f"HTTP {status}: " if status else ""
    return f"{code}{said_by(error).rstrip('.')}. {remedy.format(server=server)}".rstrip()


def is_busy(error: Exception) -> bool:
    """Whether Nova is at work on the server, which may take minutes."""
    return status_of(error) == 409 and BUSY.search(said_by(error)) is not None


def passes(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if status_of(error) == 409:
        return is_busy(error) or known_remedy(error) is None
    return isinstance(error, CONNECTION_ERRORS) or status_of(error) in PASSING_STATUS


def is_uuid(text: str) -> bool:
    """Whether it can be an ID."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def choose(kind: str, wanted: str, resources: Iterable[Any]) -> Any:
    """The one resource with this ID or name; Problem, with the candidates, where there is none or more than one."""
    everything = list(resources)
    found = [one for one in everything if one.id == wanted] or [one for one in everything if one.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"{len(found)} {kind}s are named '{wanted}': {listed(found)}. Remedy: give the ID.")
    if not everything:
        raise Problem(f"There is no {kind} '{wanted}', and no other that these credentials can see. Remedy: check that"
                      " cloud or auth names the right project and region.")
    everything.sort(key=lambda one: SequenceMatcher(None, one.name or "", wanted).ratio(), reverse=True)
    raise Problem(f"There is no {kind} '{wanted}' that these credentials can see. There is: {listed(everything)}."
                  " Remedy: give one of these, or credentials of another project.")


def listed(resources: Sequence[Any]) -> str:
    """Names and IDs, of the first few."""
    text = ", ".join(f"{one.name or 'without a name'} ({one.id})" for one in resources[:CANDIDATES_SHOWN])
    more = len(resources) - CANDIDATES_SHOWN
    return f"{text} and {more} more" if more > 0 else text


def oldest_first(ports: Iterable[Any]) -> list[Any]:
    """The same order in every run that looks at the same ports, which is how two runs agree on the one that stays."""
    return sorted(ports, key=lambda port: (port.created_at or "", port.id))


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


class ServerInterfaceModule(OpenStackModule):
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

    def run(self) -> dict[str, Any]:
        """Find, look, act, look again."""
        self.deadline = time.monotonic() + self.params["timeout"]
        self.failures: dict[str, str] = {}  # by server name
        try:
            self._find()
            before = self._look()
            result = self._absent(before) if self.params["state"] == "absent" else self._present(before)
        except FAILURES as error:
            self.fail_json(msg=explain(error, ", ".join(self.params["server"])))
        if self.failures:
            self.fail_json(msg=" ".join(f"{name}: {text}" for name, text in self.failures.items()),
                           failures=self.failures, **result)
        return result

    # What the user named

    def _find(self) -> None:
        """Turn names into resources, and refuse what cannot be done before anything is touched."""
        names = self.params["server"]
        self.address = self._wanted_address()
        if self.params["port"] and len(names) > 1:
            raise Problem(f"port can be in one server, and server names {len(names)}. Remedy: a task for each port.")
        everything = self._list(self.conn.compute.servers)
        servers = [self._server(name, everything) for name in names]
        self.servers = list({server.id: server for server in servers}.values())  # one may be named twice
        self.network: Any = None
        self.port: Any = None
        self.groups: list[str] | None = None
        if self.params["port"]:
            self.port = self._resource("port", self.params["port"], self.conn.network.ports)
            self._check_port_is_free()
        else:
            self.network = self._resource("network", self.params["network"], self.conn.network.networks)
            self._check_address()
        if self.params["security_groups"] is not None:
            self.groups = sorted(self._group(name) for name in self.params["security_groups"])

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

    def _server(self, name: str, everything: list[Any]) -> Any:
        """A server of the project, or, for an administrator, any server by its ID."""
        if is_uuid(name) and all(server.id != name for server in everything):
            try:
                return self._repeat(partial(self.conn.compute.get_server, name))
            except NotFoundException:
                pass  # choose() says it with the candidates
        return choose("server", name, everything)

    def _resource(self, kind: str, wanted: str, lister: Callable[..., Iterable[Any]], **query: Any) -> Any:
        """Ask for the name or ID alone, and for everything only where the candidates have to be named."""
        key = "id" if is_uuid(wanted) else "name"
        found = self._list(lister, **{key: wanted}, **query)
        return found[0] if len(found) == 1 else choose(kind, wanted, self._list(lister, **query))

    def _group(self, name: str) -> str:
        """The ID of a security group. An administrator sees a `default` of every project; ours is meant."""
        group = self._resource("security group", name, self.conn.network.security_groups,
                               project_id=self.conn.current_project_id)
        return str(group.id)

    def _check_port_is_free(self) -> None:
        holder = self.port.device_id
        if self.params["state"] == "present" and holder and holder != self.servers[0].id:
            raise Problem(f"port '{self.params['port']}' is plugged into {holder} ({self.port.device_owner}). Remedy:"
                          " detach it there first, or give another port.")

    def _check_address(self) -> None:
        """Nova answers an address outside of the network with HTTP 500."""
        if self.address is None:
            return
        subnets = self._list(self.conn.network.subnets, network_id=self.network.id)
        if not any(ip_address(self.address) in ip_network(subnet.cidr) for subnet in subnets):
            cidrs = ", ".join(subnet.cidr for subnet in subnets) or "none"
            raise Problem(f"fixed_ips: {self.address} is in no subnet of network '{self.params['network']}', which has"
                          f" {cidrs}. Remedy: an address of these, or none, and one is chosen.")

    # What is there

    def _query(self) -> dict[str, str]:
        return {"network_id": self.network.id} if self.network else {"id": self.port.id}

    def _look(self) -> Seen:
        """Ask Neutron, for all servers at once; Nova's own list lags behind it."""
        ids = [server.id for server in self.servers]
        found: Seen = {server_id: [] for server_id in ids}
        for start in range(0, len(ids), SERVERS_A_QUESTION):
            query = {**self._query(), "device_id": ids[start:start + SERVERS_A_QUESTION]}
            for port in self._list(self.conn.network.ports, **query):
                found[port.device_id].append(port)
        return {server_id: oldest_first(ports) for server_id, ports in found.items()}

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
        attached = self._in_parallel(self._attach, missing)
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
        request: dict[str, Any] = {"net_id": self.network.id} if self.network else {"port_id": self.port.id}
        if self.address:
            request["fixed_ips"] = [{"ip_address": self.address}]

        def attached_already() -> str | None:
            # a request that failed for us may have succeeded for Nova; a repeat would attach a second time
            ports = oldest_first(self.conn.network.ports(device_id=server.id, **self._query()))
            return str(ports[0].id) if ports else None

        def attach() -> str:
            return str(self.conn.compute.create_server_interface(server.id, **request).port_id)

        return str(self._repeat(attach, attached_already))

    def _detach(self, seen: Seen) -> set[str]:
        """Detach the ports and, with wait, see them gone; the IDs of those that Nova takes off."""
        def detach(server: Any) -> list[str]:
            ids = [port.id for port in seen[server.id]]
            for port_id in ids:
                self._repeat(partial(self.conn.compute.delete_server_interface, port_id, server.id))
            return ids

        answers = self._in_parallel(detach, [server for server in self.servers if seen.get(server.id)])
        going = {port_id for ids in answers.values() for port_id in ids}

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

        def update(server: Any) -> bool:
            for port_id in other[server.id]:
                self._repeat(partial(self.conn.network.update_port, port_id, security_groups=self.groups))
            return True

        return bool(self._in_parallel(update, [server for server in self.servers if other[server.id]]))

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
        for _ in self._pauses():
            seen = self._look()
            left = [server.name for server in self.servers if any(unfinished(server, port) for port in seen[server.id])]
            if not left:
                return seen
        self.failures.update((name, message.format(timeout=self.params["timeout"], server=name)) for name in left)
        return seen

    def _in_parallel(self, work: Callable[[Any], Any], servers: list[Any]) -> dict[str, Any]:
        """What work returned, by server ID. A server where it failed is in self.failures instead."""
        def guarded(server: Any) -> Any:
            try:
                return work(server)
            except FAILURES as error:
                self.failures[server.name] = explain(error, server.name)
                return None

        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = zip(servers, pool.map(guarded, servers), strict=True)
            return {server.id: answer for server, answer in answers if answer is not None}

    def _list(self, lister: Callable[..., Iterable[Any]], **query: Any) -> list[Any]:
        """All that a call of openstacksdk's lists; it asks only while it is iterated."""
        return list(self._repeat(lambda: list(lister(**query))))

    def _repeat(self, request: Callable[[], Any], done_already: Callable[[], Any] = lambda: None) -> Any:
        """The request's answer. Before it is sent again, `done_already` is asked for one."""
        for number, _ in enumerate(self._pauses()):
            try:
                return (done_already() if number else None) or request()
            except API_ERRORS as error:
                failure = error
                if not passes(error) or (number >= REPEATS and not is_busy(error)):
                    raise
        raise failure

    def _pauses(self) -> Iterator[None]:
        """At once, then after pauses that double, until the time is up; out of step with the other threads."""
        yield
        pause = 0.25
        while time.monotonic() + pause < self.deadline:
            time.sleep(pause * random.uniform(0.5, 1))
            yield
            pause = min(2 * pause, LONGEST_PAUSE)


def main() -> None:
    """Run the module."""
    ServerInterfaceModule()()


if __name__ == "__main__":
    main()

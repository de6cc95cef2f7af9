"""What the EO data network means for a machine: its port's data, its routes, and what is not yet as it should be.

Decided here rather than in tasks, because what a machine says of itself has to be compared address by address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from ansible.errors import AnsibleFilterError

VARIABLE = "eodata_network_routes"
EXAMPLE = "{to: 10.97.0.0/16} or {to: 10.97.0.0/16, via: 10.111.0.1}"

Network = IPv4Network | IPv6Network
Route = dict[str, str]


def eodata_port(interface: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    """A port as the tasks want it, from what server_interface returns of an interface and of its network."""
    subnets = {subnet["id"]: subnet for subnet in network["subnets"]}
    unseen = [fixed["ip_address"] for fixed in interface["fixed_ips"] if fixed["subnet_id"] not in subnets]
    if unseen:
        raise AnsibleFilterError(
            f"The subnet of {', '.join(unseen)} on the network {network['name']} cannot be seen with these credentials,"
            " so its size and routes are not known. Remedy: ask the network's owner to share its subnets too, or"
            " configure the machines by hand and set eodata_network_backend to none.")
    mine = [subnets[fixed["subnet_id"]] for fixed in interface["fixed_ips"]]
    return {
        "mac_address": interface["mac_addr"].lower(),
        "addresses": [{"ip_address": fixed["ip_address"], "prefix": ip_network(subnet["cidr"]).prefixlen,
                       "cidr": subnet["cidr"]} for fixed, subnet in zip(interface["fixed_ips"], mine, strict=True)],
        "mtu": int(network.get("mtu") or 0),
        "gateways": [subnet["gateway_ip"] for subnet in mine if subnet.get("gateway_ip")],
        # A default route among them is what the network offers to machines that have no other; ours have one.
        "host_routes": [{"to": route["destination"], "via": route["nexthop"]} for subnet in mine
                        for route in subnet.get("host_routes") or [] if not _is_default(route["destination"])],
    }


def eodata_route_faults(wanted: Any) -> list[str]:
    """What is wrong with eodata_network_routes before the network is known; variable, value and remedy."""
    if not isinstance(wanted, (list, tuple)):
        return [f"{VARIABLE} is {wanted!r}, and must be a list. Remedy: [{EXAMPLE}]."]
    return [f"{VARIABLE}[{number}] is {route!r}: {fault}." for number, route in enumerate(wanted)
            for fault in _faults_of(route)]


def eodata_routes(port: dict[str, Any], wanted: Sequence[Route]) -> list[Route]:
    """The routes over the port, each with its gateway: the subnets' own, and those of eodata_network_routes."""
    faults = eodata_route_faults(wanted)
    routes = {ip_network(route["to"], strict=False): route["via"] for route in port["host_routes"]}
    for route in [] if faults else wanted:
        to = ip_network(route["to"])
        via = route.get("via") or _via(to, port)
        if via is None:
            faults.append(f"{VARIABLE} has a route to {to} without via, and the network's subnets name no gateway."
                          f" Remedy: {{to: {to}, via: ADDRESS}}, with a router's address on the network.")
        elif not any(ip_address(via) in ip_network(address["cidr"]) for address in port["addresses"]):
            faults.append(f"{VARIABLE} has a route to {to} via {via}, which is not on the network"
                          f" ({_subnets(port)}). Remedy: a router's address on it, or leave via out.")
        routes[to] = via
    if faults:
        raise AnsibleFilterError(" ".join(faults))
    return [{"to": str(to), "via": str(ip_address(via))} for to, via in routes.items()]


def eodata_nic(seen: dict[str, Any], port: dict[str, Any]) -> str:
    """The name of the machine's NIC with the port's MAC address, or nothing."""
    return str(_nic(seen, port).get("ifname", ""))


def eodata_deviations(seen: dict[str, Any], port: dict[str, Any], routes: Sequence[Route]) -> list[str]:
    """How the machine's NIC differs from what the port and the routes ask for."""
    nic = _nic(seen, port)
    if not nic:
        return [f"no NIC has the port's MAC address {port['mac_address']}"]
    name = nic["ifname"]
    wanted = {ip_interface(f"{address['ip_address']}/{address['prefix']}") for address in port["addresses"]}
    found = {ip_interface(f"{info['local']}/{info['prefixlen']}"): info for info in nic.get("addr_info", [])
             if info.get("local") and info.get("scope") == "global"}
    there = {(ip_network(route["dst"]), ip_address(route["gateway"])) for route in _routes(seen, name)
             if "gateway" in route and not _is_default(route["dst"])}
    needed = {(ip_network(route["to"]), ip_address(route["via"])) for route in routes}
    return [
        *([] if "UP" in nic["flags"] else [f"{name} is down"]),
        *(f"{name} lacks the address {address}" for address in sorted(wanted - found.keys(), key=str)),
        *(f"{name} has the address {address} besides" for address in sorted(found.keys() - wanted, key=str)),
        *(f"{name} has {address} from DHCP, which may take it away"
          for address in sorted(wanted & found.keys(), key=str) if found[address].get("dynamic")),
        *(f"{name} has a default route, via {route.get('gateway', 'nobody')}" for route in _routes(seen, name)
          if _is_default(route["dst"])),
        *(f"{name} has no route to {to} via {via}" for to, via in sorted(needed - there, key=str)),
        *([f"{name} has an MTU of {nic['mtu']}, and the network's is {port['mtu']}"]
          if port["mtu"] and nic["mtu"] != port["mtu"] else []),
    ]


def eodata_strays(seen: dict[str, Any], port: dict[str, Any]) -> list[str]:
    """What of the node takes the EO data network for the cluster's, or does not take it for the store."""
    subnets = [ip_network(address["cidr"]) for address in port["addresses"]]
    nic = eodata_nic(seen, port)
    defaults = [route for route in seen["routes"] if _is_default(route["dst"])]
    talk = [(line, word) for line in seen["mpi"] for word in line.partition("=")[2].replace(",", " ").split()]
    return [
        *([] if len(defaults) == 1 else [
            f"there are {len(defaults)} default routes"
            f" (over {', '.join(sorted(route['dev'] for route in defaults)) or 'nothing'})"]),
        *([] if seen["store"] else ["the store's name is not known to the resolver"]),
        *(f"the store's address {route['dst']} is reached over {route.get('dev') or 'nothing'}"
          for route in seen["store"] if route.get("dev") != nic),
        *(f"the node's name {line.split()[0]} stands for {line.split()[1]}, on the EO data network"
          for line in seen["names"] if _within(line.split()[1], subnets)),
        *(f"Slurm has {line}, on the EO data network" for line in seen["slurm"]
          if _within(line.rpartition("=")[2].rpartition("(")[2].rstrip(")"), subnets)),
        *(f"Open MPI has '{line}', which is the EO data network" for line, word in talk
          if word == nic or _within(word, subnets)),
    ]


def _faults_of(route: Any) -> Iterable[str]:
    if not isinstance(route, dict) or "to" not in route or not route.keys() <= {"to", "via"}:
        return [f"a route is a mapping of to and, if need be, via. Remedy: {EXAMPLE}"]
    faults = []
    try:
        if ip_network(route["to"]).prefixlen == 0:
            faults.append("the EO data network takes no default route. Remedy: name the store's own network, such as"
                          " {to: 10.97.0.0/16}")
    except (ValueError, TypeError):
        faults.append(f"to is no network. Remedy: write ADDRESS/BITS, all bits after BITS being zero: {EXAMPLE}")
    try:
        if route.get("via"):
            ip_address(route["via"])
    except ValueError:
        faults.append("via is no IP address. Remedy: a router's address on the EO data network, or leave via out")
    return faults


def _is_default(to: str) -> bool:
    return to == "default" or ip_network(to, strict=False).prefixlen == 0


def _via(to: Network, port: dict[str, Any]) -> str | None:
    """The gateway of the narrowest of the subnets' routes that covers `to`, or else the subnets' own gateway."""
    covering = [(ip_network(route["to"], strict=False).prefixlen, route["via"]) for route in port["host_routes"]
                if _covers(ip_network(route["to"], strict=False), to)]
    if covering:
        return str(max(covering)[1])
    return next((gateway for gateway in port["gateways"] if ip_address(gateway).version == to.version), None)


def _covers(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and wide.supernet_of(narrow)  # type: ignore[arg-type]  # of one version


def _subnets(port: dict[str, Any]) -> str:
    return ", ".join(address["cidr"] for address in port["addresses"])


def _nic(seen: dict[str, Any], port: dict[str, Any]) -> dict[str, Any]:
    # What lies upon a NIC (a VLAN, a bridge) has its MAC address too, and names it as its link.
    return next((nic for nic in seen["addresses"] if nic.get("address") == port["mac_address"]
                 and nic.get("link") not in {other["ifname"] for other in seen["addresses"]}), {})


def _routes(seen: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [route for route in [*seen["routes"], *seen["routes6"]] if route.get("dev") == name]


def _within(text: str, subnets: Sequence[Network]) -> bool:
    """Whether an address or a network is part of the subnets; names are not."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return any(subnet.version == network.version and subnet.overlaps(network) for subnet in subnets)


class FilterModule:
    """Ansible's way to find the filters."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {function.__name__: function for function in (
            eodata_port, eodata_route_faults, eodata_routes, eodata_nic, eodata_deviations, eodata_strays)}

"""Ranges of addresses: who may log in, where the servers are, and what must not overlap."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from ansible.module_utils.cloud_plan_faults import Faults

Network = IPv4Network | IPv6Network
WIDEST = {4: 8, 6: 16}  # the shortest prefix of a source that still looks meant
BESIDES_SERVERS = 5     # addresses of a subnet that no server gets: its own, broadcast, gateway, two of DHCP
MY_ADDRESS = "`curl https://api.ipify.org` on your machine prints its address; write it with /32"


def parsed(text: str) -> Network | None:
    """The range; a lone address is one, and bits behind the prefix are forgiven, as Neutron does."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def is_world(cidr: str | None) -> bool:
    """Whether it is every address there is; Neutron says so by leaving it out."""
    found = parsed(cidr) if cidr else None
    return not cidr or (found is not None and found.prefixlen == 0)


def check_sources(sources: list[str], faults: Faults) -> list[str]:
    """The ranges from which ssh is to be open, in Neutron's spelling; faults where there are none or too many."""
    if not sources:
        faults.error("ssh_sources", f"It is empty: nobody could log in, not even this kit. Remedy: {MY_ADDRESS}.")
    good = []
    for source in sources:
        found = parsed(source)
        if found is None:
            faults.error("ssh_sources", f"'{source}' is no range of addresses. Remedy: an address with its prefix, such"
                         f" as 192.0.2.7/32 ({MY_ADDRESS}).")
            continue
        good.append(str(found))
        if found.prefixlen < WIDEST[found.version]:
            everyone = "the whole world" if found.prefixlen == 0 else f"{found.num_addresses} addresses"
            faults.warning("ssh_sources", f"'{source}' lets {everyone} try to log in. Remedy: name the addresses that"
                           f" you come from ({MY_ADDRESS}).")
    return list(dict.fromkeys(good))


def check_cidr(cidr: str, servers: int, faults: Faults) -> Network | None:
    """The range for a network of the cluster's own, which has to hold all its servers."""
    try:
        found = IPv4Network(cidr.strip())
    except ValueError as error:
        faults.error("network_cidr", f"'{cidr}' is no range of IPv4 addresses ({error}). Remedy: one such as"
                     " 10.0.0.0/24.")
        return None
    if found.num_addresses < servers + BESIDES_SERVERS:
        prefix = 32 - (servers + BESIDES_SERVERS - 1).bit_length()
        faults.error("network_cidr", f"'{cidr}' has {found.num_addresses} addresses, {BESIDES_SERVERS} of which are not"
                     f" for servers, and {servers} servers are wanted. Remedy: a prefix of /{prefix} or shorter.")
    elif not found.is_private:
        faults.warning("network_cidr", f"'{cidr}' is public: the machines could not reach the real owners of these"
                       " addresses. Remedy: one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16.")
    return found


def overlaps(one: Iterable[str], other: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of ranges that share addresses, so that a machine on both would not know where to send."""
    def both(left: str, right: str) -> bool:
        a, b = parsed(left), parsed(right)
        return a is not None and b is not None and a.version == b.version and a.overlaps(b)

    right_side = list(other)
    return [(left, right) for left in one for right in right_side if both(left, right)]

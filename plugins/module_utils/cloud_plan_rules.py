"""Rules of security groups: what is wanted of ours, and what stands open to the world."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.module_utils.cloud_plan_addresses import is_world, parsed
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_look import Cloud

Rule = dict[str, Any]
RULES_BETWEEN_MEMBERS = 2  # everything, IPv4 and IPv6
RULES_OUT = 2              # that Neutron puts into every new group, IPv4 and IPv6


def is_ssh(rule: Rule) -> bool:
    """Whether it opens the port of ssh and nothing else."""
    return str(rule.get("protocol")) in ("tcp", "6") and rule.get("port_range_min") == rule.get("port_range_max") == 22


def is_from_world(rule: Rule) -> bool:
    """Whether it lets everybody in."""
    return (rule.get("direction") == "ingress" and not rule.get("remote_group_id")
            and not rule.get("remote_address_group_id") and is_world(rule.get("remote_ip_prefix")))


def told(rule: Rule) -> str:
    """A rule in words."""
    first, last = rule.get("port_range_min"), rule.get("port_range_max")
    ports = "" if first is None else f" port {first}" if first == last else f" ports {first}-{last}"
    source = rule.get("remote_ip_prefix") or rule.get("remote_group_id") or rule.get("remote_address_group_id")
    everyone = "::/0" if rule.get("ethertype") == "IPv6" else "0.0.0.0/0"
    return f"{rule.get('protocol') or 'every protocol'}{ports} from {source or everyone}"


def rules_to_change(group: Any, sources: Iterable[str]) -> tuple[list[str], list[str]]:
    """What our group lacks, and what it lets in that is not wanted: ssh from the sources, everything from members."""
    ingress = [rule for rule in group.security_group_rules or [] if rule.get("direction") == "ingress"]
    wanted = {str(parsed(source)) for source in sources}
    members = [rule for rule in ingress if rule.get("remote_group_id") == group.id and not rule.get("protocol")]
    has, other = set(), []
    for rule in ingress:
        prefix = rule.get("remote_ip_prefix") or ("::/0" if rule.get("ethertype") == "IPv6" else "0.0.0.0/0")
        if is_ssh(rule) and not rule.get("remote_group_id") and str(parsed(prefix)) in wanted:
            has.add(str(parsed(prefix)))
        elif rule not in members:
            other.append(told(rule))
    lacks = [f"ssh from {source}" for source in sorted(wanted - has)]
    return lacks + ([] if members else ["everything between members"]), other


def groups_of(cloud: Cloud, servers: Iterable[Any]) -> list[Any]:
    """The security groups on all interfaces of the servers."""
    ids = {server.id for server in servers}
    used = {group for port in cloud.ports if port.device_id in ids for group in port.security_group_ids or []}
    return [group for group in cloud.security_groups if group.id in used]


def check_openness(groups: Iterable[Any], option: str, faults: Faults) -> None:
    """A warning for each group that lets the world in by more than ssh. (Who may use ssh is ssh_sources' business, and
    ping harms nobody.)"""
    for group in {group.id: group for group in groups}.values():
        doors = [told(rule) for rule in group.security_group_rules or []
                 if is_from_world(rule) and not is_ssh(rule) and not str(rule.get("protocol")).startswith("icmp")]
        if doors:
            faults.warning(option, f"Security group '{group.name}' ({group.id}) opens more than ssh to the world:"
                           f" {'; '.join(sorted(doors))}. Remedy: `openstack security group rule list {group.id}`, and"
                           " delete or narrow what nobody needs.")

"""site.yml on the cloud's side, step by step: the plan, the cluster, the same again, a neighbour that stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusterkit import (
    EODATA,
    INVENTORY,
    expected,
    make_inventory,
    molecule,
    names,
    openstack,
    playbook,
    run,
    things,
    whole,
)
from openstack.connection import Connection

NAME = "rig"
SERVERS = expected(NAME, range(1, 5))


@pytest.fixture(scope="module", autouse=True)
def stands(member: Connection) -> Iterator[None]:
    """The scenario's rig with its key pair; the cluster that these tests make in it goes in the end."""
    molecule("create").ok()
    yield
    playbook("destroy", provision_confirm=NAME, provision_delete_home=True).ok()


def test_check_mode_shows_the_whole_plan_and_makes_nothing(member: Connection) -> None:
    before = things(member, NAME)
    said = " ".join(molecule("check").ok().output.split())
    assert things(member, NAME) == before
    assert names(before) == []
    for line in ("make key pair rig-key", "make network rig-network", "make router rig-router",
                 "make security group rig-nodes", "make volume rig-home", "make floating ip external",
                 *(f"make server {name}" for name in SERVERS), *(f"attach interface {name}" for name in SERVERS),
                 "In all 5 servers, 6 cores, 6.0 GB of memory, 20 GB of volumes, 1 public addresses"):
        assert line in said


def test_site_makes_the_cluster(member: Connection) -> None:
    molecule("converge").ok()
    found = things(member, NAME)
    whole(found, NAME, range(1, 5))
    assert [port[0] for port in found["ports"] if port[1] == EODATA] == SERVERS
    assert [dict(server[3])["eocluster_cluster"] for server in found["servers"]] == [NAME] * 5
    assert [dict(server[3])["eocluster_role"] for server in found["servers"]] == ["master", *["worker"] * 4]
    assert found["servers"][0][4] == (found["volumes"][0][1],)
    molecule("verify").ok()


def test_nothing_comes_in_but_ssh_from_the_named_source(member: Connection) -> None:
    group = member.network.find_security_group(f"{NAME}-nodes")
    rules = {(rule["ethertype"], rule["protocol"], rule["port_range_min"], rule["port_range_max"],
              rule["remote_ip_prefix"], rule["remote_group_id"])
             for rule in group.security_group_rules if rule["direction"] == "ingress"}
    assert rules == {("IPv4", "tcp", 22, 22, "203.0.113.7/32", None), ("IPv4", None, None, None, None, group.id),
                     ("IPv6", None, None, None, None, group.id)}
    groups = {port[4] for port in things(member, NAME)["ports"] if port[1] != EODATA}
    assert groups == {(group.id,)}


def test_again_changes_nothing(member: Connection) -> None:
    before = things(member, NAME)
    molecule("idempotence").ok()
    assert things(member, NAME) == before


def test_a_rule_that_was_added_by_hand_goes(member: Connection) -> None:
    """The group is the kit's, so a door that was opened in it is closed again, and the plan says so."""
    openstack("security", "group", "rule", "create", "--protocol", "tcp", "--dst-port", "8888", f"{NAME}-nodes")
    (line,) = (line for line in playbook("plan").ok().output.splitlines() if "security group" in line)
    assert "change" in line and "port 8888 from 0.0.0.0/0" in line
    playbook("provision").ok()
    group = member.network.find_security_group(f"{NAME}-nodes")
    assert 8888 not in {rule["port_range_min"] for rule in group.security_group_rules}


def inventory_of(folder: Path, **variables: Any) -> dict[str, Any]:
    """What Ansible knows of an inventory."""
    said = run(["ansible-inventory", "-i", folder, "-e", json.dumps(variables), "--list"]).ok().output
    # what a plugin found is wrapped, as text that is never a template
    listed: dict[str, Any] = json.loads(said, object_hook=lambda one: one.get("__ansible_unsafe", one))
    return listed


def test_the_inventory_knows_the_cluster_by_its_mark_and_its_network(member: Connection) -> None:
    listed = inventory_of(INVENTORY)
    assert listed["slurm_master"]["hosts"] == SERVERS[:1]
    assert sorted(listed["slurm_worker"]["hosts"]) == SERVERS[1:]
    hosts = listed["_meta"]["hostvars"]
    addresses = {server.name: {entry["OS-EXT-IPS:type"]: entry["addr"] for entry in server.addresses[f"{NAME}-network"]}
                 for server in member.compute.servers() if server.name in SERVERS}
    assert hosts[SERVERS[0]]["ansible_host"] == addresses[SERVERS[0]]["floating"]
    assert [hosts[name]["ansible_host"] for name in SERVERS[1:]] == [addresses[name]["fixed"] for name in SERVERS[1:]]


def test_workers_are_reached_through_the_master() -> None:
    said = run(["ansible", "-i", INVENTORY, SERVERS[1], "-m", "ansible.builtin.debug", "-a",
                "var=ansible_ssh_common_args"]).ok().output
    master = inventory_of(INVENTORY)["_meta"]["hostvars"][SERVERS[0]]
    text = " ".join(said.split())
    assert f"-W [%h]:%p debian@{master['ansible_host']}" in text
    assert f"HostKeyAlias={master['openstack']['id']}" in text


def test_an_interface_that_was_attached_by_hand_is_recognised(member: Connection) -> None:
    openstack("server", "remove", "network", SERVERS[2], EODATA)
    openstack("server", "add", "network", SERVERS[2], EODATA)
    before = things(member, NAME)
    assert playbook("attach_eodata").ok().changed() == {0}
    assert things(member, NAME) == before


def test_a_detached_one_is_attached_again(member: Connection) -> None:
    openstack("server", "remove", "network", SERVERS[2], EODATA)
    assert 1 in playbook("attach_eodata").ok().changed()
    assert [port[0] for port in things(member, NAME)["ports"] if port[1] == EODATA] == SERVERS


def test_a_second_cluster_leaves_the_first_alone(member: Connection, tmp_path: Path) -> None:
    before = things(member, NAME)
    second = make_inventory(tmp_path / "second", cluster_name="other", cluster_workers=1, cluster_network="",
                            provision_home_volume_size=0, provision_floating_ip=False)
    playbook("site", second).ok()
    assert names(things(member, "other")) == expected("other", [1])
    assert sorted(inventory_of(INVENTORY)["slurm_worker"]["hosts"]) == SERVERS[1:]
    playbook("destroy", second, provision_confirm="other").ok()
    assert set(map(len, things(member, "other").values())) == {0}
    after = things(member, NAME)
    assert after == before

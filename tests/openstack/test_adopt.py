"""A cluster that was made with the openstack command is attached, and otherwise left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusterkit import EODATA, make_inventory, molecule, openstack, playbook, things
from openstack.connection import Connection

NAME = "myslurmcluster"
SERVERS = [f"{NAME}-master001", f"{NAME}-worker001", f"{NAME}-worker002"]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Servers named as ElastiCluster does, with metadata of their owner's, and an inventory that adopts them."""
    molecule("create").ok()
    openstack("network", "create", f"{NAME}-net")
    openstack("subnet", "create", "--network", f"{NAME}-net", "--subnet-range", "10.77.0.0/24", f"{NAME}-net")
    for name in SERVERS:
        openstack("server", "create", "--flavor", "eo1.xsmall", "--image", "Debian 12", "--network", f"{NAME}-net",
                  "--property", "owner=somebody", "--wait", name)
    yield make_inventory(tmp_path_factory.mktemp("adopt") / NAME, cluster_name=NAME, cluster_provision=False,
                         cluster_network=f"{NAME}-net")
    openstack("server", "delete", "--wait", *SERVERS)
    openstack("network", "delete", f"{NAME}-net")


def without_eodata(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "ports": [port for port in found["ports"] if port[1] != EODATA]}


def test_plan_says_what_would_be_attached(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    said = " ".join(playbook("plan", inventory).ok().output.split())
    assert all(f"attach interface {name} ({EODATA})" in said for name in SERVERS)
    assert "make" not in [line.split()[1] for line in said.splitlines() if line.strip().startswith("- ")]
    assert things(member, NAME) == before


def test_site_attaches_and_does_nothing_else(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    playbook("site", inventory).ok()
    after = things(member, NAME)
    assert [port[0] for port in after["ports"] if port[1] == EODATA] == SERVERS
    assert without_eodata(after) == before
    assert playbook("site", inventory).ok().changed() == {0}
    assert things(member, NAME) == after


def test_it_is_never_scaled_and_never_destroyed(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    assert "cluster_provision" in playbook("scale", inventory, scale_workers=1).failed()
    playbook("destroy", inventory, provision_confirm=NAME, provision_delete_home=True).ok()
    assert things(member, NAME) == before


def test_detach_undoes_it(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    playbook("detach_eodata", inventory).ok()
    assert things(member, NAME) == without_eodata(before)
    assert playbook("detach_eodata", inventory).ok().changed() == {0}


def test_a_server_that_is_not_there_is_told_with_what_there_is(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(f"[slurm_master]\n{SERVERS[0]}\n[slurm_worker]\n{NAME}-worker009\n")
    (tmp_path / "group_vars").symlink_to(inventory / "group_vars")
    said = playbook("validate", tmp_path).failed()
    assert f"{NAME}-worker009" in said and f"{NAME}-worker002" in said

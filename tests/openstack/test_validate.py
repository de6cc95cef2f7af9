"""validate.yml on the cloud's side: everything that is wrong in one message, and nothing made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusterkit import make_inventory, molecule, playbook, things
from openstack.connection import Connection

NAME = "faulty"


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    molecule("create").ok()
    yield make_inventory(tmp_path_factory.mktemp("faulty") / NAME, cluster_name=NAME)


def test_all_faults_at_once(inventory: Path, member: Connection) -> None:
    said = playbook("site", inventory, provision_image="Debain 12", provision_worker_flavor="eo9.huge",
                    provision_external_network="nowhere", eodata_network_name="eodata", provision_ssh_sources=[],
                    cluster_workers=900, eodata_bucket="no bucket", provision_key_name="lost").failed()
    for variable in ("provision_image", "provision_worker_flavor", "provision_external_network", "eodata_network_name",
                     "provision_ssh_sources", "eodata_bucket", "provision_key_name"):
        assert f" - {variable}" in said, variable
    assert "Debian 12" in said and "eo1.small" in said and "eodata_00341_3" in said
    assert set(map(len, things(member, NAME).values())) == {0}


def test_quota_counts_what_is_missing(inventory: Path) -> None:
    said = playbook("validate", inventory, cluster_workers=900).failed()
    assert "cluster_workers" in said and "quota" in said


def test_a_door_to_the_world_is_a_warning(inventory: Path) -> None:
    said = playbook("validate", inventory, provision_ssh_sources=["0.0.0.0/0"]).ok().output
    assert "WARNING" in said and "0.0.0.0/0" in said


@pytest.mark.parametrize("cloud", ["nowhere"])
def test_a_cloud_that_nobody_knows(inventory: Path, cloud: str) -> None:
    assert f"cluster_cloud is '{cloud}'" in playbook("validate", inventory, cluster_cloud=cloud).failed()


def test_credentials_that_are_refused_are_a_fault_like_others(inventory: Path, tmp_path: Path) -> None:
    wrong = make_inventory(tmp_path / "wrong", cluster_name=NAME, cluster_cloud="expired", provision_ssh_sources=[])
    plugin = wrong / "1_openstack.yml"
    plugin.write_text(plugin.read_text().replace("application", "expired"))
    said = playbook("validate", wrong).failed()
    assert "cluster_cloud" in said and "clouds.yaml" in said

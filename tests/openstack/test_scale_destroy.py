"""A cluster grows, shrinks, and goes, with everything around it left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusterkit import EODATA, expected, make_inventory, molecule, names, openstack, playbook, things, whole
from openstack.connection import Connection

NAME = "scaled"


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of four workers, whose folder the tests may write in."""
    molecule("create").ok()
    folder = make_inventory(tmp_path_factory.mktemp("scale") / NAME, cluster_name=NAME, cluster_workers=4)
    playbook("site", folder).ok()
    yield folder
    playbook("destroy", folder, provision_confirm=NAME, provision_delete_home=True).ok()


def scale(inventory: Path, workers: int) -> Any:
    return playbook("scale", inventory, scale_workers=workers)


def on_eodata(found: dict[str, Any]) -> list[str]:
    return [port[0] for port in found["ports"] if port[1] == EODATA]


def test_from_four_to_six(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    scale(inventory, 6).ok()
    after = things(member, NAME)
    whole(after, NAME, range(1, 7))
    assert on_eodata(after) == expected(NAME, range(1, 7))
    assert after["servers"][:5] == before["servers"]
    assert "cluster_workers: 6" in (inventory / "group_vars" / "all.yml").read_text()


def test_to_the_same_number_changes_nothing(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    assert scale(inventory, 6).ok().changed() == {0}
    assert things(member, NAME) == before


def test_too_many_workers_are_never_removed_by_site(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    playbook("site", inventory, cluster_workers=5).ok()
    assert things(member, NAME) == before


def test_from_six_to_three(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    scale(inventory, 3).ok()
    after = things(member, NAME)
    whole(after, NAME, range(1, 4))
    assert after["servers"] == before["servers"][:4]
    assert on_eodata(after) == expected(NAME, range(1, 4))


@pytest.mark.parametrize("workers", [0, -1, "many", 1000])
def test_a_number_that_is_none_is_refused(inventory: Path, member: Connection, workers: Any) -> None:
    before = things(member, NAME)
    assert str(workers) in scale(inventory, workers).failed()
    assert things(member, NAME) == before


def test_destroy_asks_first(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    for confirm in ({}, {"provision_confirm": "somebody"}):
        said = playbook("destroy", inventory, **confirm).failed()
        assert "Nothing was deleted" in said and f"CONFIRM={NAME}" in said and f"server {NAME}-master001" in said
    assert things(member, NAME) == before


def test_destroy_in_check_mode_deletes_nothing(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)
    playbook("destroy", inventory, "--check", provision_confirm=NAME).ok()
    assert things(member, NAME) == before


def test_destroy_takes_what_is_ours_and_leaves_a_namesake_and_the_home(inventory: Path, member: Connection) -> None:
    openstack("network", "create", f"{NAME}-theirs")
    openstack("server", "create", "--flavor", "eo1.xsmall", "--image", "Debian 12", "--network", f"{NAME}-network",
              "--wait", f"{NAME}-notours")
    try:
        said = playbook("destroy", inventory, provision_confirm=NAME)
        # their server is on our network: that stays, and is named; all else of ours is gone
        assert f"{NAME}-notours" in names(things(member, NAME))
        openstack("server", "delete", "--wait", f"{NAME}-notours")
        said = playbook("destroy", inventory, provision_confirm=NAME).ok()
    finally:
        openstack("network", "delete", f"{NAME}-theirs")
    assert f"The volume {NAME}-home stays" in " ".join(said.output.split())
    left = things(member, NAME)
    assert [(volume[0], volume[2]) for volume in left.pop("volumes")] == [(f"{NAME}-home", "available")]
    assert set(map(len, left.values())) == {0}


def test_the_home_that_stayed_is_used_again(inventory: Path, member: Connection) -> None:
    before = things(member, NAME)["volumes"][0][1]
    playbook("provision", inventory, cluster_workers=1).ok()
    whole(things(member, NAME), NAME, [1])
    assert things(member, NAME)["volumes"][0][1] == before


def test_destroy_with_the_home(inventory: Path, member: Connection) -> None:
    playbook("destroy", inventory, provision_confirm=NAME, provision_delete_home=True).ok()
    assert set(map(len, things(member, NAME).values())) == {0}


def test_destroy_again_finds_nothing(inventory: Path) -> None:
    said = playbook("destroy", inventory).ok()
    assert said.changed() == {0}
    assert "bears the mark" in said.output

"""The life of labs: two side by side, one half up that is mended, and the end, which leaves nothing."""

from pathlib import Path

import pytest
import yaml
from labkit import (
    BUCKET,
    INVENTORY,
    LAB,
    MASTER,
    NODES_READY,
    WORKERS,
    held,
    molecule,
    nodes_seen,
    playbook,
    podman,
    remote,
    until,
)

SECOND = LAB.removeprefix("eo")  # the end of the first's name, which a careless filter would match


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The inventory folder of a second lab, with one worker; its lab is removed at the end."""
    folder = tmp_path / SECOND
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars/all.yml").write_text(yaml.safe_dump({
        "lab_workers": 1, "eodata_bucket": BUCKET, "eodata_network_backend": "lab", "cluster_user": "eouser"}))
    yield folder
    playbook("lab_down", inventory=folder).ok()


def test_two_labs_side_by_side(cluster, second):
    first = held(f"{LAB}-")
    files = {path: path.read_bytes() for path in INVENTORY.rglob("*") if path.is_file()}

    playbook("lab_up", inventory=second).ok()
    kinds = sorted(line.split()[0] for line in held(f"{SECOND}-"))
    assert kinds == ["container"] * 3 + ["network"] * 2 + ["secret"] + ["volume"] * 2
    assert held(f"{LAB}-") == first
    assert remote(f"{SECOND}-worker001", f"getent hosts {MASTER}").code != 0

    playbook("lab_down", inventory=second).ok()
    assert held(f"{SECOND}-") == set()
    assert held(f"{LAB}-") == first
    assert sorted(path.name for path in second.iterdir()) == ["group_vars"]
    assert {path: path.read_bytes() for path in INVENTORY.rglob("*") if path.is_file()} == files
    assert nodes_seen() == NODES_READY


@pytest.mark.thorough
def test_lab_half_up_is_mended(cluster):
    """A worker that is gone, another that stands still, and no inventory."""
    def untouched() -> set[str]:
        return {line for line in held(f"{LAB}-") if WORKERS[1] not in line and WORKERS[3] not in line}

    whole = untouched()
    hosts = INVENTORY / "hosts.yml"
    before = hosts.read_text()
    podman("stop", "--time", "2", WORKERS[1]).ok()
    podman("rm", "--force", "--time", "2", WORKERS[3]).ok()
    hosts.unlink()

    playbook("lab_up").ok()
    assert hosts.read_text() == before
    assert untouched() == whole
    playbook("site").ok()
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


def test_lab_down_leaves_nothing_of_the_lab_and_all_else(lab, keep_lab):
    if keep_lab:
        pytest.skip("EOCLUSTER_KEEP_LAB: the lab stays")
    bystander = f"{LAB}-bystander"  # of somebody else, whatever its name
    podman("volume", "create", bystander).ok()
    podman("network", "create", bystander).ok()
    podman("create", "--name", bystander, "--network", bystander, image(), "true").ok()
    others = held(bystander)
    try:
        molecule("destroy").ok()
        assert held(LAB) == others
        assert sorted(path.name for path in INVENTORY.iterdir()) == ["group_vars"]
        molecule("destroy").ok()
        assert held(LAB) == others
    finally:
        podman("rm", "--force", bystander).ok()
        podman("network", "rm", bystander).ok()
        podman("volume", "rm", bystander).ok()


def image() -> str:
    """The image of the lab's machines."""
    return podman("container", "inspect", "--format", "{{.ImageName}}", MASTER).ok().output.strip()

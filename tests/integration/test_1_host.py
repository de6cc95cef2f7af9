"""lab_up on a host that cannot carry a lab: each lack is told in one message, and nothing is made."""

import os
from pathlib import Path

import pytest
from labkit import Ran, held, playbook

NAME = "eohost"  # a lab that never comes up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty inventory folder."""
    path = tmp_path / NAME
    path.mkdir()
    return path


def refused(folder: Path, env: dict[str, str] | None = None, **variables: object) -> Ran:
    """lab_up, which must fail in one place and leave neither files nor anything with podman."""
    ran = playbook("lab_up", inventory=folder, env=env, lab_install_packages=False, **variables)
    assert ran.code != 0
    assert ran.output.count("fatal: ") == 1
    assert f"This host cannot carry the lab {variables.get('lab_name', NAME)}:" in ran.words()
    assert not list(folder.iterdir())
    assert not held(NAME)
    return ran


@pytest.mark.parametrize(("variables", "sentences"), [
    ({"lab_disk_gb": 999999}, ["the lab needs 999999 GB (lab_disk_gb)", "Remedy: free some"]),
    ({"lab_memory_gb": 999999}, ["the lab needs 999999 GB (lab_memory_gb)", "Remedy: end other programs"]),
    ({"lab_ulimit": 10**15}, ["hard limit of open files", "hard limit of processes", f"lab_ulimit is {10**15}",
                              "or a smaller lab_ulimit"]),
    ({"lab_workers": 0}, ["lab_workers is 0. Remedy: a number from 1 to 200"]),
    ({"lab_name": "My_Lab"}, ["lab_name is 'My_Lab'", "Remedy: a lower-case letter"]),
], ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
def test_lack_is_told_with_its_remedy(folder, variables, sentences):
    told = refused(folder, **variables).words()
    assert [sentence for sentence in sentences if sentence not in told] == []


def test_all_lacks_are_told_together(folder):
    told = refused(folder, lab_disk_gb=999999, lab_memory_gb=999999, lab_workers=201).words()
    assert all(name in told for name in ("(lab_disk_gb)", "(lab_memory_gb)", "lab_workers is 201"))


def test_no_podman(folder, tmp_path):
    path = tmp_path / "bin"  # all the commands that there are, but one
    path.mkdir()
    for directory in reversed(os.environ["PATH"].split(os.pathsep)):
        for command in Path(directory).glob("*"):
            (path / command.name).unlink(missing_ok=True)
            (path / command.name).symlink_to(command)
    (path / "podman").unlink()
    # Without a cache, or the next playbook takes this path for the host's.
    told = refused(folder, {"PATH": str(path), "ANSIBLE_CACHE_PLUGIN": "memory"}).words()
    assert "commands not found: podman. Remedy: sudo apt-get install podman" in told
    assert "lab_install_packages" in told


def test_inventory_that_is_no_folder(tmp_path):
    path = tmp_path / "hosts.yml"
    path.write_text("all: {}\n")
    ran = playbook("lab_up", inventory=path, lab_install_packages=False, lab_name=NAME)
    assert ran.code != 0
    assert f"the inventory is '{path}', which is not a folder" in ran.words()
    assert path.read_text() == "all: {}\n"
    assert not held(NAME)

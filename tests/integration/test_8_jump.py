"""How the machines of a cloud are reached and waited for, tried on the lab's: the master as the way to the workers."""

import json
from pathlib import Path

import pytest
import yaml
from labkit import INVENTORY, MASTER, ROOT, WORKERS, Ran, remote, run

CLOUD = ROOT / "inventory/openstack/group_vars"
PLAY = """
- hosts: slurm_master:slurm_worker
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: provision, tasks_from: guests}
    - ansible.builtin.command: printenv SSH_CONNECTION
      register: connection
    - ansible.builtin.copy:
        content: "{{ connection.stdout }}"
        dest: "{{ inventory_dir }}/{{ inventory_hostname }}.txt"
      delegate_to: localhost
"""


@pytest.fixture
def folder(cluster, tmp_path: Path) -> Path:
    """An inventory as inventory/openstack makes it, of the lab's master and one of its workers."""
    hosts = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["children"]["lab"]["children"]
    master = hosts["slurm_master"]["hosts"][MASTER]["ansible_host"]
    worker = hosts["slurm_worker"]["hosts"][WORKERS[0]]["ansible_host"]
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {
        "vars": {"ansible_user": "eouser", "ansible_ssh_private_key_file": str(INVENTORY / ".lab/id_ed25519")},
        "children": {
            "slurm_master": {"hosts": {"m": {"ansible_host": master, "cluster_fixed_ip": "192.0.2.1",
                                             "openstack": {"id": "id-of-m", "metadata": {}}}}},
            "slurm_worker": {"hosts": {"w": {"ansible_host": worker, "cluster_fixed_ip": worker,
                                             "openstack": {"id": "id-of-w", "metadata": {}}}}}}}}))
    (tmp_path / "group_vars").mkdir()
    for group in ("slurm_master", "slurm_worker"):
        (tmp_path / "group_vars" / f"{group}.yml").symlink_to(CLOUD / f"{group}.yml")
    (tmp_path / "play.yml").write_text(PLAY)
    return tmp_path


def wait(folder: Path, seconds: int = 60) -> Ran:
    """Run the play over connections of its own: one that is open already would neither jump nor compare keys."""
    given = ["-e", f"provision_timeout={seconds}"]
    return run(["ansible-playbook", "-i", folder / "hosts.json", *given, folder / "play.yml"],
               env={"ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPath=none"})


def test_workers_are_reached_through_the_master(folder):
    wait(folder).ok()
    master = remote(MASTER, "hostname -I").ok().output.split()
    assert (folder / "w.txt").read_text().split()[0] in master
    assert (folder / "m.txt").read_text().split()[0] not in master
    assert len((folder / "known_hosts").read_text().splitlines()) == 2


def test_a_key_that_changed_is_refused(folder):
    wait(folder).ok()
    known = (folder / "known_hosts").read_text().splitlines()
    keys = [line.rsplit(" ", 1) for line in known]
    (folder / "known_hosts").write_text(f"{keys[0][0]} {keys[1][1]}\n{keys[1][0]} {keys[0][1]}\n")
    refused = wait(folder, 5)
    assert refused.code != 0
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.words()


def test_a_first_boot_that_failed_is_told(folder):
    fake = "/usr/local/bin/cloud-init"  # the lab's image has none; this keeps its word and exit code for an error
    script = "#!/bin/sh\\necho status: error; exit 1\\n"
    remote(WORKERS[0], f"printf '{script}' > {fake} && chmod 755 {fake}", user="root").ok()
    try:
        told = wait(folder)
        assert told.code != 0
        assert "The first boot of w ended in error: status: error" in told.words()
        assert "/var/log/cloud-init-output.log" in told.words()
    finally:
        remote(WORKERS[0], f"rm {fake}", user="root").ok()

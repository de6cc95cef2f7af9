"""A cluster of ElastiCluster's: its inventory as it is, and the servers' IDs from its storage file."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

TOP = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("elasticluster", TOP / "plugins/filter/elasticluster.py")
elasticluster = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(elasticluster)

MASTER, WORKER = "8f1bd7e0-5b1c-4a0e-9d3c-0e5d3b8c4f10", "c1b8a4e2-77a5-4f3d-8a53-2f6f0a9f3b21"


def node(name, instance):
    """A node as ElastiCluster's Node.keys() has it."""
    kind = name.rstrip("0123456789")
    return {"cluster_name": "mycluster", "extra": {}, "flavor": "eo1.large", "image_id": "d3b", "image_user": "eouser",
            "image_userdata": "", "instance_id": instance, "ips": ["192.168.92.11", "64.225.1.2"], "kind": kind,
            "name": name, "preferred_ip": "64.225.1.2", "security_group": "default", "user_key_name": "elasticluster",
            "user_key_private": "/home/u/.ssh/id_rsa", "user_key_public": "/home/u/.ssh/id_rsa.pub"}


REMEMBERED = {"extra": {}, "name": "mycluster", "ssh_to": "master", "template": "slurm", "thread_pool_max_size": 10,
              "nodes": {"master": [node("master001", MASTER)],
                        "worker": [node("worker001", WORKER), node("worker002", None)]},
              "user_key_name": "elasticluster", "user_key_private": "/home/u/.ssh/id_rsa"}

# yaml.dump of the state with its objects, as versions before the round trip through JSON wrote it.
OBJECTS = f"""\
name: mycluster
nodes:
    worker:
    - !!python/object:elasticluster.cluster.Node
        _cloud_provider: !!python/object/apply:os.system ["touch {{touched}}"]
        instance_id: !!python/unicode '{WORKER}'
        ips: !!python/tuple [192.168.92.11]
        name: worker001
"""


def server(folder, host, cluster="mycluster"):
    return elasticluster.elasticluster_server(str(folder), cluster, host)


@pytest.mark.parametrize(("ending", "write"), [
    ("yaml", lambda state: yaml.safe_dump(state, default_flow_style=False, indent=4)),
    ("json", lambda state: json.dumps(state, indent=4))])
def test_ids_come_from_the_storage_file(tmp_path, ending, write):
    (tmp_path / f"mycluster.{ending}").write_text(write(REMEMBERED))
    assert server(tmp_path, "master001") == MASTER
    assert server(tmp_path, "worker001") == WORKER
    assert server(tmp_path, "worker002") == "mycluster-worker002"
    assert server(tmp_path, "worker009") == "mycluster-worker009"
    assert server(tmp_path, "worker001", "other") == "other-worker001"


def test_without_a_storage_folder_the_server_is_known_by_name():
    assert server("", "worker001") == "mycluster-worker001"
    assert server("/nowhere", "worker001") == "mycluster-worker001"


def test_python_objects_are_read_as_data_and_not_made(tmp_path):
    touched = tmp_path / "touched"
    (tmp_path / "mycluster.yaml").write_text(OBJECTS.format(touched=touched))
    assert server(tmp_path, "worker001") == WORKER
    assert not touched.exists()


class Touch:
    """An object that touches a file when its pickle is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_is_refused_and_not_loaded(tmp_path):
    touched = tmp_path / "touched"
    (tmp_path / "mycluster.pickle").write_bytes(pickle.dumps(Touch(touched)))
    with pytest.raises(AnsibleFilterError, match=r"mycluster\.pickle is a pickle, .* Remedy: let ElastiCluster itself"):
        server(tmp_path, "worker001")
    assert not touched.exists()


@pytest.mark.parametrize(("text", "said"), [
    ("nodes: [", "cannot be read: .* Remedy: mend it"), ("[]", "has no nodes"), ("name: mycluster", "has no nodes")])
def test_a_file_of_another_kind_is_told(tmp_path, text, said):
    (tmp_path / "mycluster.yaml").write_text(text)
    with pytest.raises(AnsibleFilterError, match=f"(?s){said}"):
        server(tmp_path, "worker001")


# The two forms in which ElastiCluster writes its inventory (AnsibleSetupProvider._build_inventory).
OLD = """
[slurm_master]
master001 ansible_ssh_host=64.225.1.2 ansible_ssh_user=eouser

[slurm_worker]
worker001 ansible_ssh_host=64.225.1.3 ansible_ssh_user=eouser slurm_selecttype=select/cons_res
worker002 ansible_ssh_host=64.225.1.4 ansible_ssh_user=eouser
"""
NEW = OLD.replace("ansible_ssh_host", "ansible_host").replace("ansible_ssh_user", "ansible_user")


@pytest.mark.parametrize(("name", "text"), [("ansible-inventory.mycluster", OLD), ("mycluster.inventory", NEW)])
def test_its_inventory_works_as_it_is(tmp_path, name, text):
    folder, storage = tmp_path / "inventory", tmp_path / "storage"
    shutil.copytree(TOP / "inventory/elasticluster", folder)
    storage.mkdir()
    (storage / name).write_text(text)
    (folder / name).symlink_to(storage / name)
    (storage / "mycluster.yaml").write_text(yaml.safe_dump(REMEMBERED))
    play = [{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [{"ansible.builtin.debug": {
        "msg": "{{ [inventory_hostname, ansible_user, eodata_network_server, group_names] }}"}}]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder, "-e", f"elasticluster_storage={storage}",
         tmp_path / "play.yml"], cwd=TOP, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told, _ = json.JSONDecoder().raw_decode(ran.stdout, ran.stdout.index("{"))  # ansible.cfg's timer speaks after it
    hosts = told["plays"][0]["tasks"][0]["hosts"]
    assert sorted(result["msg"] for result in hosts.values()) == [
        ["master001", "eouser", MASTER, ["slurm_master"]], ["worker001", "eouser", WORKER, ["slurm_worker"]],
        ["worker002", "eouser", "mycluster-worker002", ["slurm_worker"]]]

"""How the tests drive the kit against the rig: playbooks and Molecule, and what OpenStack itself says afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from openstack.connection import Connection

ROOT = Path(__file__).resolve().parents[2]
RIG_FOLDER = ROOT / ".cache" / "rigs" / "openstack"
INVENTORY = ROOT / "molecule" / "openstack" / "inventory" / "rig"
EODATA = "eodata_00341_3"
_BIN = Path(sys.executable).parent
_ENV = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1",
        "MOLECULE_COMMAND_BORDERS": "0", "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
        # Molecule's own place for what it has made goes by the folder's name, which another clone may have as well
        "MOLECULE_EPHEMERAL_DIRECTORY": str(RIG_FOLDER / "molecule"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "OS_CLIENT_CONFIG_FILE": str(RIG_FOLDER / "state" / "clouds.yaml")}
_LONGEST = 1200  # s, after which a command is taken to hang


class Ran(NamedTuple):
    """A command that has ended."""

    command: str
    code: int
    output: str

    def ok(self) -> Ran:
        """Itself, when it succeeded."""
        assert self.code == 0, f"exit code {self.code} from {self.command}\n{self.output[-6000:]}"
        return self

    def failed(self) -> str:
        """Its output with line breaks undone, when it failed."""
        assert self.code != 0, f"no failure of {self.command}\n{self.output[-6000:]}"
        return " ".join(self.output.split())

    def changed(self) -> set[int]:
        """The numbers of changed tasks in Ansible's recap, of all hosts."""
        return {int(count) for count in re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", self.output, re.M)}


def start(command: Iterable[str | Path], **environment: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own, so that all of it can be killed."""
    return subprocess.Popen([str(word) for word in command], cwd=ROOT, env={**_ENV, **environment}, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def run(command: Iterable[str | Path], **environment: str) -> Ran:
    """Run a command to its end; never raises for its exit code."""
    words = list(command)
    process = start(words, **environment)
    try:
        output, _ = process.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return Ran(" ".join(map(str, words)), process.returncode, output)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a command and all that it started, at once and without a word, as a closed lid or a lost node does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def words(name: str, inventory: Path, *arguments: str, **variables: Any) -> list[str | Path]:
    """The command line of site.yml or of a playbook of playbooks/; keywords become extra variables."""
    path = ROOT / "site.yml" if name == "site" else ROOT / "playbooks" / f"{name}.yml"
    given = ["-e", json.dumps(variables)] if variables else []
    return ["ansible-playbook", "-i", inventory, *given, *arguments, path]


def playbook(name: str, inventory: Path = INVENTORY, *arguments: str, **variables: Any) -> Ran:
    """Run site.yml or a playbook of playbooks/."""
    return run(words(name, inventory, *arguments, **variables))


def molecule(step: str) -> Ran:
    """Run one step of the scenario molecule/openstack."""
    return run(["molecule", step, "--scenario-name", "openstack"])


def openstack(*arguments: str) -> str:
    """What the openstack command of the rig says, run as the project's member."""
    return run([RIG_FOLDER / "venv" / "bin" / "openstack", "--os-cloud", "application", *arguments]).ok().output


def make_inventory(folder: Path, **settings: Any) -> Path:
    """A cluster's inventory like the scenario's, with other settings."""
    shutil.copytree(INVENTORY, folder, ignore=shutil.ignore_patterns("known_hosts"))
    path = folder / "group_vars" / "all.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **settings}, sort_keys=False))
    return folder


def things(cloud: Connection, name: str) -> dict[str, Any]:
    """All of the project that has to do with the cluster `name`, in words that stay the same while nothing changes."""
    servers = [server for server in cloud.compute.servers() if server.name.startswith(f"{name}-")]
    ids = {server.id: server.name for server in servers}
    networks = {network.id: network.name for network in cloud.network.networks()}
    ports = [port for port in cloud.network.ports() if port.device_id in ids]
    return {
        "servers": sorted((server.name, server.id, server.status, tuple(sorted(server.metadata.items())),
                           tuple(sorted(volume.id for volume in server.attached_volumes))) for server in servers),
        "ports": sorted((ids[port.device_id], networks[port.network_id], port.id, port.status,
                         tuple(sorted(port.security_group_ids))) for port in ports),
        "networks": sorted((network, text) for network, text in networks.items() if text.startswith(f"{name}-")),
        "routers": sorted((router.name, router.id) for router in cloud.network.routers()
                          if router.name.startswith(f"{name}-")),
        "security_groups": sorted((group.name, group.id, len(group.security_group_rules))
                                  for group in cloud.network.security_groups() if group.name.startswith(f"{name}-")),
        "floating_ips": sorted((ip.floating_ip_address, ip.port_id or "") for ip in cloud.network.ips()
                               if ip.description == f"eocluster:{name}"),
        "volumes": sorted((volume.name, volume.id, volume.status) for volume in cloud.block_storage.volumes()
                          if volume.name.startswith(f"{name}-")),
        "key_pairs": sorted(key.name for key in cloud.compute.keypairs() if key.name.startswith(f"{name}-")),
    }


def names(found: dict[str, Any]) -> list[str]:
    """The servers' names."""
    return [server[0] for server in found["servers"]]


def expected(name: str, workers: Iterable[int]) -> list[str]:
    """The names of a master and of these workers."""
    return [f"{name}-master001", *(f"{name}-worker{number:03d}" for number in workers)]


def whole(found: dict[str, Any], name: str, workers: Iterable[int], volume: bool = True) -> None:
    """Assert that a cluster is there exactly once, running, attached, with nothing left over."""
    servers = expected(name, workers)
    assert names(found) == servers
    assert {server[2] for server in found["servers"]} == {"ACTIVE"}
    assert [port[:2] for port in found["ports"] if port[1] != EODATA] == [(one, f"{name}-network") for one in servers]
    assert [len(found[kind]) for kind in ("networks", "routers", "security_groups", "key_pairs")] == [1, 1, 1, 1]
    on_master = [port[2] for port in found["ports"] if port[:2] == (f"{name}-master001", f"{name}-network")]
    assert [port for _, port in found["floating_ips"]] == on_master
    assert [(one[0], one[2]) for one in found["volumes"]] == ([(f"{name}-home", "in-use")] if volume else [])


def remove(cloud: Connection, name: str) -> None:
    """Delete all of a cluster's things without the kit, which is quicker and works whatever state they are in."""
    servers = [server for server in cloud.compute.servers() if server.name.startswith(f"{name}-")]
    for ip in cloud.network.ips(description=f"eocluster:{name}"):
        cloud.network.delete_ip(ip)
    for server in servers:
        cloud.compute.delete_server(server)
    for server in servers:
        cloud.compute.wait_for_delete(server, interval=0.2)
    for router in cloud.network.routers(name=f"{name}-router"):
        for port in cloud.network.ports(device_id=router.id, device_owner="network:router_interface"):
            cloud.network.remove_interface_from_router(router, port_id=port.id)
        cloud.network.delete_router(router)
    for network in cloud.network.networks(name=f"{name}-network"):
        cloud.network.delete_network(network)
    for group in cloud.network.security_groups(name=f"{name}-nodes"):
        cloud.network.delete_security_group(group)
    for key in cloud.compute.keypairs():
        if key.name == f"{name}-key":
            cloud.compute.delete_keypair(key)
    for volume in cloud.block_storage.volumes(name=f"{name}-home"):
        cloud.block_storage.delete_volume(volume)


def until(condition: Any, what: str, longest: float = 120) -> None:
    """Poll until `condition` holds; an AssertionError that says `what` never came otherwise."""
    deadline = time.monotonic() + longest
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {longest:.0f} s"
        time.sleep(0.3)

"""A real OpenStack (tests/rigs/openstack), things made in it for one test, and real runs of Ansible against it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.connection import Connection

ROOT = Path(__file__).resolve().parents[2]
RIG = str(ROOT / "tests" / "rigs" / "openstack" / "rig.py")
RIG_FOLDER = ROOT / ".cache" / "rigs" / "openstack"
CLOUDS = RIG_FOLDER / "state" / "clouds.yaml"
TIMEOUT = 300  # seconds that a module may take: enough on a machine that does much else
KEEP = "EOCLUSTER_KEEP_RIG"  # in the environment: do not stop the rig after the tests


def pytest_configure(config: pytest.Config) -> None:
    """What openstacksdk says to its own developers is no business of these tests."""
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")


@pytest.fixture(scope="session", autouse=True)
def rig() -> Iterator[None]:
    """The rig is up. One that ran before the tests runs after them, with what was in it."""
    was_up = subprocess.run([sys.executable, RIG, "status"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    subprocess.run([sys.executable, RIG, "up"], check=True)
    yield
    if not was_up and KEEP not in os.environ:
        subprocess.run([sys.executable, RIG, "down", "--wipe"], check=True)


@pytest.fixture(scope="session")
def connect(rig: None) -> Callable[..., Connection]:
    """Connect as one of the rig's clouds: admin, member, reader, neighbour, application."""
    connections: dict[str, Connection] = {}

    def by_name(name: str) -> Connection:
        if name not in connections:
            config = openstack.config.OpenStackConfig(config_files=[str(CLOUDS)], load_envvars=False)
            connections[name] = Connection(config=config.get_one(cloud=name))
        return connections[name]

    return by_name


@pytest.fixture(scope="session")
def admin(connect: Callable[..., Connection]) -> Connection:
    return connect("admin")


@pytest.fixture(scope="session")
def member(connect: Callable[..., Connection]) -> Connection:
    """What a user of the cloud has: an application credential of a project's member."""
    return connect("application")


@pytest.fixture(scope="session")
def command_line(rig: None) -> Callable[..., None]:
    """Run the openstack command as the member."""
    def run(*arguments: str) -> None:
        subprocess.run([str(RIG_FOLDER / "venv" / "bin" / "openstack"), *arguments], check=True, capture_output=True,
                       env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(CLOUDS), "OS_CLOUD": "application"})
    return run


@pytest.fixture(scope="session")
def cluster_network(member: Connection) -> Iterator[Any]:
    """The project's own network, which every server of these tests is on from the start."""
    network = member.network.create_network(name=f"cluster-{secrets.token_hex(3)}")
    member.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    yield network
    member.network.delete_network(network)


@pytest.fixture
def make_server(member: Connection, cluster_network: Any) -> Iterator[Callable[..., Any]]:
    """Boot a server; it is deleted after the test."""
    made = []
    image, flavor = member.image.find_image("Debian 12"), member.compute.find_flavor("eo1.xsmall")

    def boot(name: str = "") -> Any:
        made.append(member.compute.create_server(
            name=name or f"server-{secrets.token_hex(3)}", image_id=image.id, flavor_id=flavor.id,
            networks=[{"uuid": cluster_network.id}]))
        return member.compute.wait_for_server(made[-1], interval=0.2)

    yield boot
    for server in made:
        member.compute.delete_server(server)
    for server in made:
        member.compute.wait_for_delete(server, interval=0.2)


@pytest.fixture
def server(make_server: Callable[..., Any]) -> Any:
    return make_server()


@pytest.fixture
def make_network(member: Connection, make_server: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Make a network of the member's with a subnet; deleted after the test. The servers on it are deleted later, so
    its ports go first."""
    made = []

    def make(cidr: str | None, name: str = "", owner: Connection = member, **attributes: Any) -> Any:
        network = owner.network.create_network(name=name or f"network-{secrets.token_hex(3)}", **attributes)
        made.append((owner, network))
        if cidr:
            owner.network.create_subnet(network_id=network.id, ip_version=4, cidr=cidr, gateway_ip=None)
        return network

    yield make
    for owner, network in made:
        for port in owner.network.ports(network_id=network.id):
            owner.network.delete_port(port)
        owner.network.delete_network(network)


@pytest.fixture(scope="session")
def eodata() -> str:
    """The network of the provider's that every project may use."""
    return "eodata_00341_3"


@pytest.fixture
def on_network(member: Connection, eodata: str) -> Callable[..., list[Any]]:
    """The ports that a server has on a network, by default the EO data network, asked from Neutron."""
    def ports(server: Any, network: str = eodata) -> list[Any]:
        return list(member.network.ports(device_id=server.id, network_id=member.network.find_network(network).id))
    return ports


class Playbook:
    """Runs of ansible-playbook, each with one task of a module for each dictionary of arguments."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder = folder
        self.module = module
        self.config = folder / "ansible.cfg"  # not the kit's: its inventory and callbacks are of no use here
        self.config.write_text(f"[defaults]\nlibrary = {ROOT}/plugins/modules\n"
                               f"module_utils = {ROOT}/plugins/module_utils\nstdout_callback = ansible.posix.json\n")

    def start(self, *tasks: dict[str, Any]) -> subprocess.Popen[str]:
        """Start a run. `check_mode` in a task is the task's, everything else is the module's."""
        path = self.folder / f"{secrets.token_hex(4)}.yml"
        path.write_text(json.dumps([{
            "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{
                "check_mode": task.pop("check_mode", False), "diff": True, "ignore_errors": True,
                self.module: {"cloud": "application", "timeout": TIMEOUT, **task}} for task in tasks]}]))
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-e",
             f"ansible_python_interpreter={sys.executable}", str(path)],
            cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(CLOUDS), "ANSIBLE_CONFIG": str(self.config)})

    def results(self, run: subprocess.Popen[str]) -> list[dict[str, Any]]:
        """The results of a run's tasks, when it has ended."""
        output, errors = run.communicate(timeout=4 * TIMEOUT)
        try:
            tasks = json.loads(output)["plays"][0]["tasks"]
        except (ValueError, IndexError):
            pytest.fail(f"ansible-playbook said:\n{output}{errors}")
        return [task["hosts"]["localhost"] for task in tasks]

    def __call__(self, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
        return self.results(self.start(*tasks))


@pytest.fixture
def play(tmp_path: Path) -> Playbook:
    return Playbook(tmp_path, "server_interface")


@pytest.fixture
def boot(tmp_path: Path) -> Playbook:
    return Playbook(tmp_path, "cluster_servers")

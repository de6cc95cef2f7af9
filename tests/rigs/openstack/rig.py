#!/usr/bin/env python3
"""A real OpenStack on 127.0.0.1 for tests: keystone, nova, neutron, cinder, placement and glance, with nova's fake
hypervisor.

    rig.py up              start it (the first time, or after a change here: install and set up); says how to use it
    rig.py status          what runs, and where
    rig.py down            stop it; its servers and networks are there again after the next up
    rig.py down --wipe     stop it and forget them: the next up starts as new
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import getpass
import grp
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import Any

HERE = Path(__file__).resolve().parent
DEFAULT_FOLDER = HERE.parents[2] / ".cache" / "rigs" / "openstack"
MARK = "EOCLUSTER_OPENSTACK_RIG"  # in the environment of every process of a rig: its folder and what it is
SECONDS_TO_START = 180

# Type in the catalogue: the port asked for first, and the path that endpoints have after the port.
SERVICES = {"identity": (15000, "/v3"), "placement": (18778, ""), "image": (19292, ""), "network": (19696, ""),
            "volumev3": (18776, "/v3/%(project_id)s"), "compute": (18774, "/v2.1")}
CLOUDS = {  # name in clouds.yaml: user, project
    "admin": ("admin", "admin"), "service": ("service", "service"), "member": ("eouser", "cloud_00341"),
    "reader": ("eoreader", "cloud_00341"), "neighbour": ("neighbour", "cloud_00342")}


class RigError(Exception):
    """What went wrong, and what to do, in a sentence."""


class Rig:
    """The rig that lives in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / "venv"
        self.state = folder / "state"    # what runs: databases, keys, images, configuration, logs
        self.golden = folder / "golden"  # the state just after the first set-up, without configuration and logs
        self.log = self.state / "log"
        # Written last, with the recipe in it: a state without it is what a killed set-up left.
        self.complete = self.state / "complete"
        self.clouds = self.state / "clouds.yaml"
        self.ports: dict[str, int] = {}
        self.secrets: dict[str, str] = {}

    def up(self) -> None:
        """Bring it up from whatever was left: nothing, a half-made state, a stopped or a running rig."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # passwords and tokens are below
        with self._locked():
            self._read_settings()
            if set(self._processes().values()) != set(self.ports) or not self.complete.exists():
                self._stop()  # one that runs without the others cannot be trusted
                self._install()
                self._start()
            elif self.complete.read_text() != self._recipe():  # somebody may be using it
                print("What runs was made of older files than today's, and is left alone. To renew it: rig.py down, "
                      "rig.py up.")
        print(f"OpenStack is up. Use it:\n  export OS_CLIENT_CONFIG_FILE={self.clouds} OS_CLOUD=member\n"
              f"  {self.venv}/bin/openstack server list\n"
              f"Clouds: {', '.join([*CLOUDS, 'application'])}. Logs: {self.log}")

    def down(self, wipe: bool) -> None:
        """Stop what runs; with `wipe`, remove its state."""
        if not self.folder.exists():
            return
        with self._locked():
            self._stop()
            if wipe:
                shutil.rmtree(self.state, ignore_errors=True)

    def status(self) -> bool:
        """Print a line a service; whether all answer."""
        self._read_settings()
        running = set(self._processes().values())
        wanted = self.ports or SERVICES  # those that it has: it may have been made of older files
        for name in wanted:
            answers = name in running and _answers(self.ports[name])
            print(f"{name:10} {'up' if answers else 'down':5} http://127.0.0.1:{self.ports.get(name, '-')}")
            running -= set() if answers else {name}
        print(f"state {self.state}, logs {self.log}")
        return running == set(wanted)

    # Installation

    def _install(self) -> None:
        lock = (HERE / "requirements.lock").read_bytes()
        mark, wanted = self.venv / "installed", hashlib.sha256(lock + sys.version.encode()).hexdigest()
        if mark.exists() and mark.read_text() == wanted:
            return
        print("installing OpenStack from PyPI, once", flush=True)
        shutil.rmtree(self.venv, ignore_errors=True)
        log = self.folder / "install.log"
        self._run([sys.executable, "-m", "venv", str(self.venv)], log)
        # pip, because it obeys the machine's pip.conf; the lock is whole, so nothing is to be resolved. Python compiles
        # what it imports: a quarter of what is installed, the rest is other people's tests and drivers.
        self._run([self._bin("pip"), "install", "--quiet", "--no-deps", "--no-compile", "--requirement",
                   str(HERE / "requirements.lock")], log)
        mark.write_text(wanted)

    # Start and stop

    def _start(self) -> None:
        new = not self._restore()
        for name in ("etc", "log", "db", "run", "images", "lock", "nova", "neutron", "cinder", "keys/fernet",
                     "keys/credential"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        self._read_settings()
        if new:
            self.secrets = {f"{user}_password": secrets.token_hex(16) for user in ("admin", "service")}
        self.ports = {name: _free_port(self.ports.get(name, port)) for name, (port, _) in SERVICES.items()}
        self._write_settings()
        if new:
            self._make_databases()
        self._correct_endpoints()
        self._spawn("identity")
        self._wait_for("identity")
        if new:
            self._content("services", *(f"{name}={self._url(name)}" for name in SERVICES if name != "identity"))
        for name in SERVICES:
            if name != "identity":
                self._spawn(name)
        for name in SERVICES:
            self._wait_for(name)
        if new:
            self._map_compute_host()
            self.secrets.update(json.loads(self._content("tenants")))
            self._write_settings()
            self._keep_golden()
            self.complete.write_text(self._recipe())

    def _stop(self) -> None:
        """End this rig's processes, which are known by their environment, and nothing else."""
        for number, send in enumerate([signal.SIGTERM, signal.SIGKILL]):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, send)
            for _ in range(100 if number == 0 else 20):
                if not self._processes():
                    return
                time.sleep(0.1)

    def _processes(self) -> dict[int, str]:
        """The service's name by pid. A zombie has an empty environment, so it is none."""
        found = {}
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # not ours, or gone
                for entry in environ.read_bytes().split(b"\0"):
                    if entry.startswith(f"{MARK}={self.folder}:".encode()):
                        found[int(environ.parent.name)] = entry.decode().rpartition(":")[2]
        return found

    def _spawn(self, name: str) -> None:
        python, lib, port = self._bin("python"), HERE / "lib", str(self.ports[name])
        command = {
            "identity": [python, f"{lib}/serve.py", "keystone.wsgi.api", port, "4"],
            "placement": [python, f"{lib}/serve.py", "placement.wsgi.api", port, "4"],
            "image": [python, f"{lib}/serve.py", "glance.wsgi.api", port, "4"],
            "volumev3": [python, f"{lib}/cinder_all.py", "--config-file", f"{self.state}/etc/cinder.conf"],
            "network": [python, f"{lib}/serve.py", "neutron.wsgi.api", port, "1"],  # SQLite has one writer at a time
            "compute": [python, f"{lib}/nova_all.py", "--config-file", f"{self.state}/etc/nova.conf"],
        }[name]
        with open(self.log / f"{name}.out", "a") as output:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                             env=self._environment(name), cwd=self.state)

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not _answers(self.ports[name]):
            if name not in self._processes().values() or time.monotonic() > deadline:
                tail = (self.log / f"{name}.out").read_text()[-2000:]
                raise RigError(f"{name} does not answer on port {self.ports[name]}; it said last:\n{tail}\n"
                               f"Remedy: look into {self.log}, then rig.py down --wipe and rig.py up.")
            time.sleep(0.1)

    # State

    def _restore(self) -> bool:
        """Whether a whole state is there: the last one, else a copy of the golden one."""
        fresh = self.golden / self._recipe()
        if self.complete.exists() and self.complete.read_text() == self._recipe():
            return True
        if self.complete.exists():
            print("the rig's files changed since its state was made: it starts as new", flush=True)
        shutil.rmtree(self.state, ignore_errors=True)
        if not fresh.exists():
            return False
        shutil.copytree(fresh, self.state)
        self.complete.write_text(self._recipe())
        return True

    def _recipe(self) -> str:
        """Names what a state was made of, so that one of older files is not taken for today's."""
        digest = hashlib.sha256()
        for path in [HERE / "requirements.lock", HERE / "content.py", *sorted((HERE / "etc").iterdir()),
                     *sorted((HERE / "lib").glob("*.py"))]:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _keep_golden(self) -> None:
        shutil.rmtree(self.golden, ignore_errors=True)
        partial = self.golden / "partial"
        partial.mkdir(parents=True)
        for name in ("keys", "images", "nova"):
            shutil.copytree(self.state / name, partial / name)
        shutil.copy2(self.state / "settings.json", partial)
        (partial / "db").mkdir()
        for database in (self.state / "db").glob("*.db"):  # in use, so by SQLite's own copying
            with contextlib.closing(sqlite3.connect(database)) as source, \
                    contextlib.closing(sqlite3.connect(partial / "db" / database.name)) as target:
                source.backup(target)
        partial.rename(self.golden / self._recipe())

    def _read_settings(self) -> None:
        path = self.state / "settings.json"
        if path.exists():
            settings = json.loads(path.read_text())
            self.ports, self.secrets = settings["ports"], settings["secrets"]

    def _write_settings(self) -> None:
        """Ports and secrets, and all that is made of them: clouds.yaml and the services' configuration."""
        _write_private(self.state / "settings.json", json.dumps({"ports": self.ports, "secrets": self.secrets}))
        clouds: dict[str, dict[str, Any]] = {name: {"auth": {
            "auth_url": self._url("identity"), "username": user, "password": self.secrets.get(f"{user}_password"),
            "project_name": project, "user_domain_id": "default", "project_domain_id": "default"}}
            for name, (user, project) in CLOUDS.items()}
        clouds["application"] = {"auth_type": "v3applicationcredential", "auth": {
            "auth_url": self._url("identity"), "application_credential_id": self.secrets.get("credential_id"),
            "application_credential_secret": self.secrets.get("credential_secret")}}
        common = {"region_name": "RegionOne", "identity_api_version": "3"}
        complete = {name: cloud | common for name, cloud in clouds.items()}
        _write_private(self.clouds, json.dumps({"clouds": complete}, indent=2))  # JSON is YAML
        auth = {"auth_type": "password", **clouds["service"]["auth"], "region_name": "RegionOne"}
        names = {f"{name}_port": port for name, port in self.ports.items()}
        for template in (HERE / "etc").iterdir():
            _write_private(self.state / "etc" / template.name, Template(template.read_text()).substitute(
                names, state=self.state, log=self.log, db=self.state / "db", venv=self.venv,
                auth="\n".join(f"{key} = {value}" for key, value in auth.items())))

    def _make_databases(self) -> None:
        print("making the databases, once", flush=True)
        etc, db = self.state / "etc", self.state / "db"
        keystone = [self._bin("keystone-manage"), "--config-file", f"{etc}/keystone.conf"]
        nova = [self._bin("nova-manage"), "--config-file", f"{etc}/nova.conf"]
        owner = ["--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name]
        url = self._url("identity")
        jobs = {
            "keystone": [[*keystone, "db_sync"], [*keystone, "fernet_setup", *owner],
                         [*keystone, "credential_setup", *owner],
                         [*keystone, "bootstrap", "--bootstrap-region-id", "RegionOne", "--bootstrap-public-url", url,
                          "--bootstrap-internal-url", url]],  # the services check tokens by the internal one
            "others": [[self._bin("placement-manage"), "--config-file", f"{etc}/placement.conf", "db", "sync"],
                       [self._bin("glance-manage"), "--config-file", f"{etc}/glance-api.conf", "db_sync"],
                       [self._bin("python"), f"{HERE}/lib/neutron_schema.py", f"sqlite:///{db}/neutron.db"]],
            "cinder": [[self._bin("cinder-manage"), "--config-file", f"{etc}/cinder.conf", "db", "sync"]],
            "nova": [[*nova, "api_db", "sync"],
                     [*nova, "cell_v2", "map_cell0", "--database_connection", f"sqlite:///{db}/nova_cell0.db?timeout=30"],
                     [*nova, "db", "sync"], [*nova, "cell_v2", "create_cell", "--name", "cell1"]],
        }

        def work(name: str) -> None:
            for command in jobs[name]:
                self._run(command, self.log / f"set-up-{name}.out")

        with ThreadPoolExecutor() as pool:
            list(pool.map(work, jobs))
        for database in db.glob("*.db"):  # readers and a writer at the same time
            with contextlib.closing(sqlite3.connect(database)) as connection:
                connection.execute("pragma journal_mode=wal")

    def _correct_endpoints(self) -> None:
        """Put today's ports into keystone's catalogue, directly: nothing can ask keystone yet."""
        with contextlib.closing(sqlite3.connect(self.state / "db" / "keystone.db")) as connection:
            for name in SERVICES:
                connection.execute(
                    "update endpoint set url = ? where service_id in (select id from service where type = ?)",
                    (self._url(name), name))
            connection.commit()

    def _map_compute_host(self) -> None:
        """Give the compute host to its cell, once it has told the database of itself."""
        command = [self._bin("nova-manage"), "--config-file", f"{self.state}/etc/nova.conf", "cell_v2",
                   "discover_hosts", "--verbose"]
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            # It fails where nova writes between its reading and its writing: SQLite cannot wait for that.
            with contextlib.suppress(RigError):
                if "Checking host mapping for compute" in self._run(command, self.log / "set-up-nova.out"):
                    return
            if time.monotonic() > deadline:
                raise RigError(f"nova-compute did not register. Remedy: look into {self.log}/nova.log")
            time.sleep(0.5)

    # Small helpers

    def _content(self, *arguments: str) -> str:
        return self._run([self._bin("python"), f"{HERE}/content.py", *arguments], self.log / "set-up-content.out")

    def _run(self, command: list[str], log: Path) -> str:
        """Standard output of a command that has to succeed; the log gets what it says beside."""
        with open(log, "a") as output:
            done = subprocess.run(command, env=self._environment("set-up"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=output, text=True, check=False)
        if done.returncode:
            raise RigError(f"{' '.join(command)} failed; it said last:\n{done.stdout[-500:]}{log.read_text()[-2000:]}")
        return done.stdout

    def _environment(self, name: str) -> dict[str, str]:
        """The machine's environment without its own OpenStack settings, and with our mark on the process."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "PYTHON"))}
        etc = str(self.state / "etc")
        # neutron renames its process, by default over the environment that its mark is in; SPT_NOENV forbids that
        return {**own, "PYTHONPATH": str(HERE / "lib"), "PYTHONWARNINGS": "ignore", "SPT_NOENV": "1",
                "OS_CLIENT_CONFIG_FILE": str(self.clouds), "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
                **{f"OS_{name}_CONFIG_DIR": etc for name in ("KEYSTONE", "PLACEMENT", "GLANCE", "NEUTRON")},
                "OS_BOOTSTRAP_PASSWORD": self.secrets.get("admin_password", ""),  # not on a command line
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "PYTHONPYCACHEPREFIX": str(self.folder / "cache" / "python"),  # not beside lib/, in the checkout
                MARK: f"{self.folder}:{name}"}

    def _bin(self, name: str) -> str:
        return str(self.venv / "bin" / name)

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}{SERVICES[name][1]}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two commands on one rig: the second waits for the first."""
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)


def _free_port(wanted: int) -> int:
    """`wanted`, or any other where that is taken."""
    for port in (wanted, 0):
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was left a moment ago is free
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise RigError("this machine has no free port on 127.0.0.1")


def _answers(port: int) -> bool:
    """Whether something speaks HTTP there; which status it gives does not matter."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "status"])
    parser.add_argument("--wipe", action="store_true", help="with down: forget all that was made in the cloud")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the rig lives (%(default)s)")
    options = parser.parse_args()
    rig = Rig(options.folder.resolve())
    try:
        if options.command == "up":
            rig.up()
        elif options.command == "down":
            rig.down(options.wipe)
        else:
            return 0 if rig.status() else 3
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

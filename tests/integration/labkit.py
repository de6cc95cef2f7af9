"""How the integration tests drive the kit: playbooks, Molecule, podman, commands on nodes, batch jobs and the store."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import yaml
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
# Tests that run at the same time have labs of their own, and so have the clones of this repository on one machine.
LAB = f"{os.environ.get('EOCLUSTER_TEST_LAB', 'eotest')}-{hashlib.sha256(bytes(ROOT)).hexdigest()[:4]}"
INVENTORY = ROOT / "molecule/default/inventory" / LAB
MASTER = f"{LAB}-master001"
WORKERS = [f"{LAB}-worker{number:03d}" for number in range(1, 5)]
STORE = f"{LAB}-eodata"
USER = "eouser"
BUCKET = "DIAS"
PREFIX = "Sentinel-2/MSI/L1C/2022/10/01/"
PRODUCTS = 8  # job_max_products of the lab
ARCHIVE = ROOT / ".cache/sample_archive/1920"
JOBS = f"/home/{USER}/eocluster/jobs"

_BIN = Path(sys.executable).parent
_ENV = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1",
        "MOLECULE_COMMAND_BORDERS": "0", "EOCLUSTER_TEST_LAB": LAB,
        # Molecule's own place for what it has made goes by the folder's name, which another clone may have as well
        "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".cache/molecule" / LAB)}
_LONGEST = 1200  # s, after which a command is taken to hang
_TAIL = 80       # lines of a failed command's output to show


class Ran(NamedTuple):
    """A command that has ended: what it was, its exit code, and standard output and error as they came."""

    command: str
    code: int
    output: str

    def ok(self) -> "Ran":
        """Itself, when it succeeded; an AssertionError with the end of its output otherwise."""
        assert self.code == 0, f"exit code {self.code} from {self.command}\n" + self.tail()
        return self

    def tail(self) -> str:
        """The end of its output, which names what failed."""
        return "\n".join(self.output.splitlines()[-_TAIL:])

    def words(self) -> str:
        """Its output with line breaks undone, to look for sentences in."""
        return " ".join(self.output.split())

    def changed(self) -> dict[str, int]:
        """Ansible's recap: the number of changed tasks by host."""
        return {host: int(count) for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)}


def run(command: Sequence[str | Path], env: dict[str, str] | None = None, stdin: str | None = None) -> Ran:
    """Run a command of the workstation in the repository's folder; never raises for its exit code."""
    words = [str(word) for word in command]
    ended = subprocess.run(words, cwd=ROOT, env={**_ENV, **(env or {})}, input=stdin, text=True, timeout=_LONGEST,
                           stdin=subprocess.DEVNULL if stdin is None else None,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Ran(" ".join(words), ended.returncode, ended.stdout)


def playbook(name: str, *arguments: str, inventory: Path = INVENTORY, env: dict[str, str] | None = None,
             **variables: Any) -> Ran:
    """Run site.yml or a playbook of playbooks/; keywords become extra variables."""
    path = ROOT / "site.yml" if name == "site" else ROOT / "playbooks" / f"{name}.yml"
    given = ["-e", json.dumps(variables, default=str)] if variables else []
    return run(["ansible-playbook", "-i", inventory, *given, *arguments, path], env)


def molecule(step: str) -> Ran:
    """Run one step of the scenario molecule/default, with its settings for this lab."""
    if not (INVENTORY / "hosts.yml").exists():
        shutil.copytree(INVENTORY.parent / "eotest/group_vars", INVENTORY / "group_vars", dirs_exist_ok=True)
    return run(["molecule", step])


def podman(*arguments: str) -> Ran:
    """Run podman as the owner of the lab's containers."""
    return run([*([] if os.geteuid() == 0 else ["sudo", "-n"]), "podman", *arguments])


def remote(host: str, command: str, user: str = USER) -> Ran:
    """Run a shell command on a node as the cluster's user, in that user's home."""
    home = "/root" if user == "root" else f"/home/{user}"
    return podman("exec", "--user", user, "--workdir", home, "--env", f"HOME={home}", host, "bash", "-c", command)


def until(condition: Callable[[], bool], what: str, longest: float = 90) -> None:
    """Poll until `condition` holds; an AssertionError that says `what` never came otherwise."""
    deadline = time.monotonic() + longest
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {longest:.0f} s"
        time.sleep(0.3)


# --- Slurm ------------------------------------------------------------------------------------------------------------

def batch(command: str, nodes: int = len(WORKERS)) -> tuple[str, list[str]]:
    """Run a command line through sbatch with one task per node; the job's number and the lines of its output."""
    ended = remote(MASTER, f'log=$(mktemp ~/batch-XXXXXX) && sbatch --parsable --wait --nodes={nodes}'
                           f' --ntasks-per-node=1 --output="$log" --wrap {command!r};'
                           ' code=$?; cat "$log"; rm "$log"; exit $code').ok()
    number, *lines = ended.output.splitlines()
    return number, lines


def nodes_seen() -> list[str]:
    """What sinfo says of each node: name, partition, processors and state."""
    return remote(MASTER, "sinfo --noheader --Node --format='%N %P %c %T'").ok().output.splitlines()


NODES_READY = [f"{worker} main* 1 idle" for worker in WORKERS]


def job_states() -> dict[str, str]:
    """Every job in the books of all users, with its state."""
    lines = remote(MASTER, "sacct --allusers --allocations --noheader --parsable2 --starttime=now-1day"
                           " --format=JobID,State").ok().output.split("\n")
    return {number: state for number, _, state in (line.partition("|") for line in lines if line)}


def latest_job() -> str:
    """The number of the job that run_job submitted last."""
    return remote(MASTER, f"basename $(ls -t {JOBS}/latest/slurm-*.log | head -n 1) .log").ok().output.strip()[6:]


def latest_report() -> dict[str, Any]:
    """The report of the latest job's last run."""
    report: dict[str, Any] = json.loads(remote(MASTER, f"cat {JOBS}/latest/output/report.json").ok().output)
    return report


def latest_images() -> dict[str, str]:
    """The GeoTIFFs of the latest job on the master, with the time of their last change."""
    lines = remote(MASTER, f"cd {JOBS}/latest/output && stat --format='%n %Y.%y' *.tif").ok().output.splitlines()
    return {name.removesuffix(".tif"): changed for name, _, changed in (line.partition(" ") for line in lines)}


# --- the archive and its store ----------------------------------------------------------------------------------------

def products() -> list[str]:
    """The names (without .SAFE) of the sample archive's products under PREFIX, in the order of a listing."""
    return sorted(path.stem for path in (ARCHIVE / PREFIX).glob("*.SAFE"))


def band_file(product: str, band: str) -> Path:
    """The local JP2 of a band ("B03") of a product; relative to ARCHIVE it is the object's key."""
    (path,) = (ARCHIVE / PREFIX / f"{product}.SAFE").glob(f"GRANULE/*/IMG_DATA/*_{band}.jp2")
    return path


class ObjectStore:
    """The lab's store, spoken to from the workstation with the lab's own keys."""

    def __init__(self) -> None:
        settings = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["vars"]
        self.client = boto3.client(
            "s3", endpoint_url=settings["eodata_endpoint_url"], region_name="Region1",
            aws_access_key_id=settings["eodata_access_key"], aws_secret_access_key=settings["eodata_secret_key"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2,
                          request_checksum_calculation="when_required"))

    def put(self, path: Path, size: int | None = None) -> None:
        """Upload a local file of the archive under its key; only its first `size` bytes when given."""
        self.client.put_object(Bucket=BUCKET, Key=str(path.relative_to(ARCHIVE)), Body=path.read_bytes()[:size])

    def delete(self, path: Path) -> None:
        """Remove the object of a local file of the archive."""
        self.client.delete_object(Bucket=BUCKET, Key=str(path.relative_to(ARCHIVE)))

    def page(self, size: int) -> dict[str, Any]:
        """The first page of the listing of PREFIX, as boto3 returns it."""
        return dict(self.client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX, Delimiter="/", MaxKeys=size))

    def answers(self) -> bool:
        """Whether the store answers a listing."""
        try:
            return bool(self.page(1)["KeyCount"])
        except Exception:  # whatever is said while it starts
            return False


# --- what podman holds ------------------------------------------------------------------------------------------------

_LISTS = {
    "container": ("ps", "--all", "--format", "{{.Names}} {{.ID}} {{.Exited}} {{.StartedAt}}"),
    "network": ("network", "ls", "--format", "{{.Name}} {{.ID}}"),
    "volume": ("volume", "ls", "--format", "{{.Name}}"),
    "secret": ("secret", "ls", "--format", "{{.Name}} {{.ID}}"),
    "image": ("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
}


def held(prefix: str) -> set[str]:
    """What podman holds whose name begins with `prefix`: kind, name and number of each thing, and of a
    container whether it has ended and when it was started."""
    return {f"{kind} {line}" for kind, command in _LISTS.items()
            for line in podman(*command).ok().output.splitlines() if line.startswith(prefix)}

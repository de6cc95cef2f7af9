"""One lab for all integration tests, made and removed by Molecule. The modules' numbers are the order of its life.

EOCLUSTER_KEEP_LAB=1 leaves the lab standing at the end, and uses one that stands at the start.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from labkit import INVENTORY, JOBS, MASTER, WORKERS, ObjectStore, molecule, remote

KEEP = bool(os.environ.get("EOCLUSTER_KEEP_LAB"))


class Lab(NamedTuple):
    """The lab as it was before site.yml: each node's addresses and default route."""

    fresh: bool
    addresses: dict[str, str]
    routes: dict[str, str]


def _seen(command: str) -> dict[str, str]:
    return {node: remote(node, command).ok().output for node in [MASTER, *WORKERS]}


@pytest.fixture(scope="session")
def keep_lab() -> bool:
    """Whether the lab shall outlive the tests."""
    return KEEP


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Machines and a filled store, as `molecule create` leaves them; what a killed run left is removed first."""
    reuse = KEEP and (INVENTORY / "hosts.yml").exists()
    if not reuse:
        molecule("destroy").ok()
    try:
        molecule("create").ok()
        yield Lab(not reuse, _seen("ip -brief -4 addr show dev eth0"), _seen("ip route show default"))
    finally:
        if not KEEP:
            molecule("destroy").ok()


@pytest.fixture(scope="session")
def cluster(lab: Lab) -> Lab:
    """The lab after site.yml, without jobs of an earlier session."""
    molecule("converge").ok()
    remote(MASTER, f"rm -rf {JOBS}").ok()
    return lab


@pytest.fixture(scope="session")
def store(lab: Lab) -> ObjectStore:
    """The lab's S3 store."""
    return ObjectStore()

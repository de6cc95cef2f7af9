"""Two virtual machines for all tests of this folder. Slow where the host has no KVM, so `make vm-test` runs them alone.

EOCLUSTER_VM_LOGS=<folder> keeps the machines' consoles and Ansible's output there.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from vmkit import Machines, image, missing


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    """A master and a worker as a cloud hands them out: one user, whose key opens both, and nothing else."""
    lacking = missing()
    if lacking:
        pytest.fail(lacking, pytrace=False)
    system = image()
    with tempfile.TemporaryDirectory(prefix="eovm-") as scratch:
        folder = Path(os.environ.get("EOCLUSTER_VM_LOGS", scratch))
        folder.mkdir(parents=True, exist_ok=True)
        running = Machines(system, folder)
        try:
            running.master.await_boot()
            running.worker.await_boot()
            yield running
        finally:
            running.stop()

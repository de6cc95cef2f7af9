"""Provisioning that is killed, at ten moments drawn at random, and repeated: nothing twice, nothing left over."""

from __future__ import annotations

import random
import subprocess
import time  # a clock to draw moments from, not to judge by
from pathlib import Path

import pytest
from clusterkit import kill, make_inventory, molecule, playbook, remove, start, things, whole, words
from openstack.connection import Connection

MOMENTS = 10
SEED = random.randrange(2**32)  # shown when a test fails; write it here to see the same moments again


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory, member: Connection) -> float:
    """How long one whole run takes here, from which the moments are drawn."""
    molecule("create").ok()
    folder = make_inventory(tmp_path_factory.mktemp("whole") / "inventory", cluster_name="whole", cluster_workers=2)
    began = time.monotonic()
    playbook("provision", folder).ok()
    took = time.monotonic() - began
    remove(member, "whole")
    return took


@pytest.mark.parametrize("number", [
    pytest.param(number, marks=[pytest.mark.thorough] if number % 4 else []) for number in range(MOMENTS)])
def test_a_killed_run_is_finished_by_the_next(number: int, seconds: float, tmp_path: Path, member: Connection) -> None:
    # one moment in each tenth of the run, so that all of its steps are hit
    moment = seconds * (number + random.Random(SEED + number).random()) / MOMENTS
    name = f"killed{number}"
    folder = make_inventory(tmp_path / "inventory", cluster_name=name, cluster_workers=2)
    print(f"seed {SEED}, killed after {moment:.2f} of {seconds:.1f} s")
    killed = start(words("provision", folder))
    try:
        killed.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        kill(killed)
    try:
        playbook("provision", folder).ok()
        whole(things(member, name), name, [1, 2])
    finally:
        remove(member, name)

"""A cluster that somebody else made: its slurm.conf is left alone, its munge key looked at, and renewed on request."""

from collections.abc import Iterator

import pytest
from labkit import (
    MASTER,
    NODES_READY,
    WORKERS,
    Ran,
    batch,
    nodes_seen,
    playbook,
    remote,
    until,
)

NODES = [MASTER, *WORKERS]
OF_OTHERS = "sed -i 's/Managed by eocluster/THIS FILE IS CONTROLLED BY ELASTICLUSTER/' /etc/slurm/slurm.conf"
OURS = "sed -i 's/THIS FILE IS CONTROLLED BY ELASTICLUSTER/Managed by eocluster/' /etc/slurm/slurm.conf"


@pytest.fixture(scope="module", autouse=True)
def adopted(cluster) -> Iterator[None]:
    """The cluster with a slurm.conf that seems to be ElastiCluster's; ours again at the end."""
    for node in NODES:
        remote(node, OF_OTHERS, user="root").ok()
    yield
    for node in NODES:
        remote(node, OURS, user="root").ok()


def keys() -> set[str]:
    """The SHA-256 of the munge key on all nodes."""
    return {remote(node, "sha256sum < /etc/munge/munge.key", user="root").ok().output.split()[0] for node in NODES}


def cluster_with_known(known: set[str], **variables: object) -> Ran:
    """cluster.yml, with these keys as the published ones."""
    return playbook("cluster", slurm_munge_known_keys=sorted(known), **variables)


def confs() -> set[str]:
    """What slurm.conf is, and when it was changed, on all nodes."""
    return {remote(node, "stat --format=%Y.%y /etc/slurm/slurm.conf; cat /etc/slurm/slurm.conf").ok().output
            for node in NODES}


def test_a_key_that_nobody_knows_is_no_matter():
    before = keys()
    ran = playbook("cluster", slurm_munge_key="renew").ok()
    assert "WARNING The munge key" not in ran.words()
    assert set(ran.changed().values()) == {0}
    assert keys() == before


def test_a_published_key_is_told_and_kept():
    before = keys()
    assert len(before) == 1
    ran = cluster_with_known(before).ok()
    assert "WARNING The munge key of this cluster is published" in ran.words()
    assert "Remedy: slurm_munge_key=renew" in ran.words()
    assert set(ran.changed().values()) == {0}
    assert keys() == before


def test_it_is_not_renewed_while_a_job_runs():
    before = keys()
    job = remote(MASTER, "sbatch --parsable --output=/dev/null --wrap 'sleep infinity'").ok().output.strip()
    until(lambda: remote(MASTER, "squeue --noheader --format=%T").output.strip() == "RUNNING", f"job {job} as RUNNING")
    try:
        ran = cluster_with_known(before, slurm_munge_key="renew")
        assert ran.code != 0
        assert f"jobs run that may fail by it: {job} (eouser, wrap)" in ran.words()
        assert keys() == before
    finally:
        remote(MASTER, f"scancel {job}").ok()
        until(lambda: remote(MASTER, "squeue --noheader").ok().output == "", "an empty queue")


def test_it_is_not_renewed_on_some_nodes_only():
    before = keys()
    ran = playbook("cluster", "--limit", f"{MASTER},{WORKERS[0]}", slurm_munge_known_keys=sorted(before),
                   slurm_munge_key="renew")
    assert ran.code != 0
    assert f"{', '.join(WORKERS[1:])} would be left with the old key. Remedy: the whole cluster" in ran.words()
    assert keys() == before


def test_renewed_once_on_all_nodes():
    published, before = keys(), confs()
    cluster_with_known(published, slurm_munge_key="renew").ok()
    renewed = keys()
    assert len(renewed) == 1
    assert renewed.isdisjoint(published)
    assert confs() == before
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")
    _, lines = batch("hostname")
    assert lines != []

    ran = cluster_with_known(published, slurm_munge_key="renew").ok()
    assert "WARNING The munge key" not in ran.words()
    assert set(ran.changed().values()) == {0}
    assert keys() == renewed


def test_a_renewal_that_was_killed_goes_on():
    """The master has a new key that its munge does not know of yet, and the workers have the old one."""
    published = keys()
    remote(MASTER, "head --bytes=1024 /dev/urandom | install -o munge -g munge -m 0400 /dev/stdin /etc/munge/munge.key",
           user="root").ok()
    assert len(keys()) == 2
    cluster_with_known(published, slurm_munge_key="renew").ok()
    assert len(keys()) == 1
    assert keys().isdisjoint(published)
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


def test_its_workers_are_neither_added_nor_removed():
    ran = playbook("scale", scale_workers=3)
    assert ran.code != 0
    assert f"The slurm.conf on {MASTER} was written by somebody else" in ran.words()
    assert nodes_seen() == NODES_READY

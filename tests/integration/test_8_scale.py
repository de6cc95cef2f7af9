"""make scale on the lab of four: input, drain, who leaves and who stays, and back to four."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from labkit import (
    INVENTORY,
    LAB,
    MASTER,
    NODES_READY,
    ROOT,
    WORKERS,
    Ran,
    held,
    job_states,
    nodes_seen,
    playbook,
    podman,
    remote,
    until,
)

SETTINGS = INVENTORY / "group_vars/all.yml"


@pytest.fixture(scope="module", autouse=True)
def four(cluster) -> Iterator[None]:
    """The cluster of four; the inventory's settings are put back at the end."""
    before = SETTINGS.read_text()
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")
    yield
    SETTINGS.write_text(before)


def sleeper(worker: str) -> str:
    """The number of a job on a worker that runs until it is cancelled."""
    number = remote(MASTER, f"sbatch --parsable --nodelist={worker} --output=/dev/null --wrap 'sleep infinity'").ok()
    job = number.output.strip()
    until(lambda: job_state(job) == "RUNNING", f"job {job} as RUNNING")
    return job


def job_state(job: str) -> str:
    """What squeue says of a job."""
    return remote(MASTER, f"squeue --noheader --jobs={job} --format=%T").output.strip()


def cancel(*jobs: str) -> None:
    """Cancel jobs and see them end."""
    remote(MASTER, f"scancel {' '.join(jobs)}").ok()
    until(lambda: all(job_states().get(job, "").startswith("CANCELLED") for job in jobs), "the end of the jobs")
    until(lambda: remote(MASTER, "squeue --noheader").ok().output == "", "an empty queue")


def scale(workers: object, *arguments: str, **variables: object) -> Ran:
    """make scale WORKERS=workers."""
    return playbook("scale", *arguments, scale_workers=workers, **variables)


def workers_of(text: str) -> list[str]:
    """The workers that hosts.yml names."""
    return list(yaml.safe_load(text)["all"]["children"]["lab"]["children"]["slurm_worker"]["hosts"])


def refused(workers: object, inventory: Path = INVENTORY, **variables: object) -> str:
    """A scale that must fail in one place and leave the machines and the settings as they are."""
    before = held(f"{LAB}-"), SETTINGS.read_text()
    if workers is not None:
        variables["scale_workers"] = workers
    ran = playbook("scale", inventory=inventory, **variables)
    assert ran.code != 0
    assert (held(f"{LAB}-"), SETTINGS.read_text()) == before
    return ran.words()


class TestInput:
    """Nothing is touched for what cannot be done."""

    @pytest.mark.parametrize("workers", [None, "", 0, -1, "six", "2.5", 201, 1000])
    def test_no_number_of_workers(self, workers):
        told = refused(workers)
        shown = "" if workers is None else workers
        assert f"WORKERS (scale_workers) is '{shown}', and must be a whole number" in told
        assert "Remedy: for example make scale WORKERS=6" in told

    def test_machines_that_are_not_ours(self, tmp_path):
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {
            "slurm_master": {"hosts": {"master001": None}}, "slurm_worker": {"hosts": {"worker001": None}}}}}))
        told = refused(2, inventory=tmp_path)
        assert "the machines are not ours: cluster_provision is not true" in told
        assert "Remedy: change their number with what made them" in told

    def test_no_cluster_and_no_number(self, tmp_path):
        (tmp_path / "group_vars").mkdir()
        (tmp_path / "group_vars/all.yml").write_text((ROOT / "inventory/lab/group_vars/all.yml").read_text())
        told = refused("x", inventory=tmp_path)
        assert "there is no cluster: the group slurm_master has 0 hosts" in told
        assert "WORKERS (scale_workers) is 'x'" in told


@pytest.mark.thorough
def test_jobs_are_waited_for_and_the_drain_is_undone():
    jobs = [sleeper(worker) for worker in WORKERS]
    try:
        told = refused(3, slurm_drain_timeout=5)
        assert f"{WORKERS[3]}: busy, and free before the other busy ones" in told
        assert f"Waiting up to 5 s (slurm_drain_timeout) for job {jobs[3]} (eouser, wrap)" in told
        assert "Nothing was removed, and all workers take jobs again. After 5 s (slurm_drain_timeout)" in told
        assert {job_state(job) for job in jobs} == {"RUNNING"}
        assert remote(MASTER, "sinfo --noheader --list-reasons").ok().output == ""
    finally:
        cancel(*jobs)
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


@pytest.mark.thorough
def test_files_on_a_workers_own_disk_are_not_lost():
    remote(WORKERS[3], "echo precious > /var/tmp/result.tif").ok()
    try:
        told = refused(3)
        assert "1 files of users are on the workers that would leave" in told
        assert "/var/tmp/result.tif" in told
        until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")
    finally:
        remote(WORKERS[3], "rm /var/tmp/result.tif").ok()


@pytest.mark.thorough
def test_dry_run_changes_nothing():
    before = held(f"{LAB}-"), SETTINGS.read_text()
    told = scale(3, "--check").ok().words()
    assert f"{WORKERS[3]}: idle" in told
    assert (held(f"{LAB}-"), SETTINGS.read_text()) == before
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


def test_the_idle_one_leaves_and_the_job_of_another_goes_on():
    job = sleeper(WORKERS[3])
    started = remote(MASTER, f"squeue --noheader --jobs={job} --format=%S").ok().output
    stay = [worker for worker in WORKERS if worker != WORKERS[2]]
    whole = {line for line in held(f"{LAB}-") if WORKERS[2] not in line}
    try:
        told = scale(3).ok().words()
        assert f"{WORKERS[2]}: idle" in told
        assert f"would have to wait for {job} (eouser, wrap)" in told
        assert job_state(job) == "RUNNING"
        assert remote(MASTER, f"squeue --noheader --jobs={job} --format=%S").ok().output == started
        assert held(f"{LAB}-") == whole, "another container than the worker's was removed or made anew"
        assert workers_of((INVENTORY / "hosts.yml").read_text()) == stay
        assert "lab_workers: 3\n" in SETTINGS.read_text()
        for node in (MASTER, *stay):
            assert remote(node, f"getent hosts {WORKERS[2]}").code != 0
        assert sorted(line.split()[0] for line in nodes_seen()) == stay
    finally:
        cancel(job)

    changed = scale(3).ok().changed()
    assert set(changed.values()) == {0}, "the second time changed something"

    playbook("lab_up").ok()
    assert workers_of((INVENTORY / "hosts.yml").read_text()) == stay


def test_one_left_drained_by_a_killed_run_leaves_first_or_comes_back():
    remote(MASTER, f"scontrol update nodename={WORKERS[0]} state=drain reason='eocluster scale'", user="root").ok()
    told = scale(2, "--check").ok().words()
    assert f"{WORKERS[0]}: drained for this before" in told

    scale(4).ok()
    assert workers_of((INVENTORY / "hosts.yml").read_text()) == WORKERS, "the lowest free number was not taken"
    assert "lab_workers: 4\n" in SETTINGS.read_text()
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


@pytest.mark.thorough
def test_a_worker_that_is_down_leaves_first():
    podman("stop", "--time", "2", WORKERS[1]).ok()
    remote(MASTER, f"scontrol update nodename={WORKERS[1]} state=down reason='no answer'", user="root").ok()
    told = scale(3).ok().words()
    assert f"{WORKERS[1]}: down" in told
    assert workers_of((INVENTORY / "hosts.yml").read_text()) == [WORKERS[0], *WORKERS[2:]]
    scale(4).ok()
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")

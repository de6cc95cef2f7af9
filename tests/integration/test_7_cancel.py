"""A job that is cancelled keeps what it has done, and the same job again goes on from there."""

import pytest
from labkit import JOBS, MASTER, WORKERS, job_states, latest_job, latest_report, playbook, remote, until

pytestmark = pytest.mark.usefixtures("cluster")
ALL = 12  # products of the archive
SLOW = {"job_max_products": 0, "job_bands": "B8,B4,B3,B2", "job_resolution": 10, "job_ntasks": 1, "job_follow": False}


def done_so_far() -> int:
    """How many products the latest job's ledger has as done."""
    return int(remote(MASTER, f"cat {JOBS}/latest/output/ledger/*/rank-*.jsonl 2>/dev/null"
                              " | grep -c '\"state\": \"done\"'").output)


def queued() -> str:
    """The number of the one job in the queue."""
    return remote(MASTER, "squeue --noheader --format=%i").ok().output.strip()


def pieces() -> str:
    """Half-written results on the shared home, and scratch folders on the workers."""
    return "".join([remote(MASTER, f"find {JOBS} -name '*.partial*'").ok().output,
                    *(remote(worker, "find /tmp -maxdepth 1 -name 'eojob-*'").ok().output for worker in WORKERS)])


def test_cancel_and_go_on():
    playbook("run_job", **SLOW).ok()
    job = queued()
    until(lambda: done_so_far() > 0, "the first product")
    assert pieces() != ""

    jobs = job_states().keys()
    playbook("run_job", **SLOW).ok()
    assert job_states().keys() == jobs, "the job in the queue was submitted a second time"

    ran = playbook("cancel_job").ok()
    assert f"Job {job} was cancelled; what is done stays" in ran.words()
    until(lambda: job_states()[job].startswith("CANCELLED") and queued() == "", f"job {job} as CANCELLED")
    done = done_so_far()
    assert 0 < done < ALL
    assert pieces() == ""

    followed = playbook("job_status")
    assert followed.code != 0
    assert f"Job {job} ended as CANCELLED" in followed.words()

    playbook("run_job", **{**SLOW, "job_ntasks": 0, "job_follow": True}).ok()
    assert latest_job() != job
    report = latest_report()
    assert (report["total"], report["skipped"], report["done"]) == (ALL, done, ALL - done)

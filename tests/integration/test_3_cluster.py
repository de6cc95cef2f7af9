"""After site.yml: the EO data network, Slurm, MPI, the archive from every worker; and site.yml again."""

import pytest
from labkit import (
    BUCKET,
    MASTER,
    NODES_READY,
    PREFIX,
    ROOT,
    USER,
    WORKERS,
    batch,
    job_states,
    molecule,
    nodes_seen,
    playbook,
    podman,
    products,
    remote,
    until,
)

pytestmark = pytest.mark.usefixtures("cluster")
JOB_PYTHON = f"/home/{USER}/.local/share/eocluster/job-env/bin/python3"


def test_again_changes_nothing():
    molecule("idempotence").ok()


def test_dry_run_changes_nothing():
    changed = playbook("site", "--check").ok().changed()
    assert changed == dict.fromkeys([MASTER, *WORKERS, "localhost"], 0)


def test_one_worker_alone():
    changed = playbook("site", "--limit", WORKERS[2]).ok().changed()
    assert changed == {WORKERS[2]: 0}


def test_verify():
    changed = playbook("verify").ok().changed()
    assert changed == dict.fromkeys([MASTER, *WORKERS, "localhost"], 0)


@pytest.mark.parametrize("node", [MASTER, *WORKERS])
class TestNetwork:
    """Two networks on every node, and only the store behind the second."""

    def test_cluster_network_is_as_it_was(self, node, cluster):
        assert remote(node, "ip -brief -4 addr show dev eth0").ok().output == cluster.addresses[node]
        assert remote(node, "ip route show default").ok().output == cluster.routes[node]
        assert len(cluster.routes[node].splitlines()) == 1

    def test_store_is_behind_the_second_nic(self, node, store):
        address, port = store.client.meta.endpoint_url.removeprefix("http://").split(":")
        assert " dev eth1 " in remote(node, f"ip route get {address}").ok().output
        remote(node, f"python3 -c 'import socket; socket.create_connection((\"{address}\", {port}), 10)'").ok()

    def test_others_are_reached_over_the_first(self, node):
        names = [name for name in [MASTER, *WORKERS] if name != node]
        routes = remote(node, f"for n in {' '.join(names)}; do ip route get $(getent ahostsv4 $n | head -n 1 |"
                              " cut -d ' ' -f 1); done").ok().output
        assert routes.count(" dev eth0 ") == len(names)


def test_sinfo():
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


def test_mpi_speaks_from_every_worker_without_a_warning():
    podman("cp", str(ROOT / "roles/verify/files/hello.py"), f"{MASTER}:/home/{USER}/hello.py").ok()
    number, lines = batch("mpirun python3 hello.py")
    assert lines == [f"rank {rank} of 4 on {worker}" for rank, worker in enumerate(WORKERS)]
    until(lambda: job_states().get(number) == "COMPLETED", f"job {number} in the books")


def test_shared_counter_over_four_nodes():
    remote(MASTER, "rm -rf schedule && mkdir schedule").ok()
    for source in ("files/eojob", "tests/integration/mpi_schedule_check.py"):
        podman("cp", str(ROOT / source), f"{MASTER}:/home/{USER}/schedule/").ok()
    _, lines = batch(f"mpirun {JOB_PYTHON} schedule/mpi_schedule_check.py schedule")
    assert [line.split(":")[0] for line in lines] == [f"rank {n} {worker}" for n, worker in enumerate(WORKERS)] + ["ok"]


@pytest.mark.parametrize("worker", WORKERS)
class TestArchiveFromWorker:
    """The tutorial's s3cmd ls, and boto3 with the job's profile."""

    def test_s3cmd(self, worker):
        lines = remote(worker, f"s3cmd ls s3://{BUCKET}/{PREFIX}").ok().output.splitlines()
        assert [line.split()[1] for line in lines if line.split()[0] == "DIR"] == [
            f"s3://{BUCKET}/{PREFIX}{name}.SAFE/" for name in products()]

    def test_boto3(self, worker):
        code = ("import boto3; print(len(boto3.Session(profile_name='eodata').client('s3')"
                f".list_objects_v2(Bucket='{BUCKET}', Prefix='{PREFIX}', Delimiter='/')['CommonPrefixes']))")
        assert remote(worker, f'{JOB_PYTHON} -c "{code}"').ok().output == f"{len(products())}\n"


def test_keys_are_their_users_alone():
    modes = remote(MASTER, "stat --format='%a %U' .s3cfg .aws/credentials").ok().output.splitlines()
    assert modes == [f"600 {USER}"] * 2

"""Requests that cannot work: a non-zero exit, one message with variable, value and remedy, and nothing submitted."""

from pathlib import Path

import pytest
import yaml
from labkit import (
    BUCKET,
    INVENTORY,
    MASTER,
    ROOT,
    STORE,
    Ran,
    job_states,
    playbook,
    podman,
    remote,
    until,
)


def refused(name: str, heading: str, **given: object) -> Ran:
    """A playbook that must fail in one place, under `heading`, without a change to the queue or the books."""
    before = job_states()
    ran = playbook(name, **given)
    assert ran.code != 0
    assert ran.output.count("fatal: ") == 1, ran.tail()
    assert heading in ran.words(), ran.tail()
    assert job_states() == before
    assert remote(MASTER, "squeue --noheader").ok().output == ""
    return ran


REQUESTS = {
    "wrong band": ({"job_bands": "B2,B99"}, ["bands: \"B2,B99\" unknown band B99; the bands are B1, B2"]),
    "resolution in between": ({"job_resolution": 25}, ["resolution: \"25\" must be a multiple of 10"]),
    "resolution that does not divide": (
        {"job_resolution": 70}, ["resolution: \"70\" does not divide", "use one of 10"]),
    "band that does not fit": (
        {"job_bands": "B1", "job_resolution": 90}, ["resolution: 90 does not fit", "B1", "use 10"]),
    "unknown partition": ({"job_partition": "gpu"}, ["job_partition: Slurm has no partition 'gpu'; use one of main"]),
    "more ranks than slots": ({"job_ntasks": 5}, ["job_ntasks: 5 ranks", "more than the 4", "use at most 4"]),
    "more nodes than there are": ({"job_nodes": 9, "job_ntasks": 4}, ["job_nodes: 9 are more than the 4", "use 0"]),
    "no time": ({"job_time": "soon"}, ["job_time: 'soon' is no time limit", "write minutes"]),
    "no memory size": ({"job_memory": "lots"}, ["job_memory: 'lots' is no memory size", "write for example 4G"]),
    "no script": ({"job_script": "/nowhere.py"}, ["job_script: '/nowhere.py' is not there; name the script"]),
    "several at once": (
        {"job_bands": "B99", "job_resolution": 70, "job_ntasks": 5, "job_time": "soon"},
        ["unknown band B99", "\"70\" does not divide", "job_ntasks: 5 ranks", "job_time: 'soon'"]),
}


@pytest.mark.usefixtures("cluster")
class TestJob:
    """run_job on a cluster that works."""

    @pytest.mark.parametrize("case", REQUESTS)
    def test_request(self, case):
        variables, sentences = REQUESTS[case]
        told = refused("run_job", "The job cannot be submitted:", **variables).words()
        assert [sentence for sentence in sentences if sentence not in told] == []

    @pytest.mark.parametrize(("variables", "sentences"), [
        ({"job_prefix": "Sentinel-2/MSI/L1C/2031/01/01/"},
         ["prefix: no product (NAME.SAFE/) below 'Sentinel-2/MSI/L1C/2031/01/01/' in bucket 'DIAS'",
          "the nearest that exists is 'Sentinel-2/MSI/L1C/'", "name one of them"]),
        ({"job_bucket": "NOSUCH"}, ["bucket: there is no 'NOSUCH'", f"(there are {BUCKET})"]),
    ], ids=["unknown prefix", "no such bucket"])
    def test_archive(self, variables, sentences):
        told = refused("run_job", "The job cannot run, and was not submitted:", **variables).words()
        assert [sentence for sentence in sentences if sentence not in told] == []

    def test_store_that_is_down(self, store):
        podman("exec", STORE, "systemctl", "stop", "seaweedfs").ok()
        try:
            told = refused("run_job", "The job cannot run, and was not submitted:", job_name="down").words()
        finally:
            podman("exec", STORE, "systemctl", "start", "seaweedfs").ok()
            until(store.answers, "the store's answer")
        assert f"endpoint_url: {store.client.meta.endpoint_url}" in told

    def test_results_of_an_unknown_job(self, tmp_path):
        ran = playbook("results", job_id=4711, job_results=tmp_path)
        assert ran.code != 0
        assert "job_id: '4711' is no job of eouser" in ran.words()
        assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("lab")
class TestSettings:
    """validate.yml on an inventory with faults."""

    @pytest.mark.parametrize(("variables", "sentences"), [
        ({"eodata_endpoint_url": "data.example"},
         ["eodata_endpoint_url is 'data.example', and must be http://HOST[:PORT]", "Remedy: the address"]),
        ({"eodata_access_key": "", "eodata_secret_key": ""},
         ["eodata_access_key and eodata_secret_key must both be set. Remedy:"]),
        ({"eodata_bucket": "a/b"}, ["eodata_bucket is 'a/b', which is no bucket's name. Remedy: DIAS"]),
        ({"cluster_user": "root"}, ["cluster_user is root, and mpirun refuses root. Remedy:"]),
        ({"eodata_endpoint_url": "", "eodata_secret_key": "", "cluster_user": "No One"},
         ["eodata_endpoint_url is ''", "must both be set", "cluster_user is 'No One'"]),
    ], ids=["endpoint", "keys", "bucket", "root", "several"])
    def test_fault(self, variables, sentences):
        ran = playbook("validate", **variables)
        assert ran.code != 0
        assert f"Nothing was touched. Wrong in {INVENTORY}:" in ran.words()
        assert [sentence for sentence in sentences if sentence not in ran.words()] == []


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The lab's inventory without its hosts, as in a fresh clone."""
    settings = tmp_path / "group_vars/all.yml"
    settings.parent.mkdir()
    settings.write_text((ROOT / "inventory/lab/group_vars/all.yml").read_text())
    return tmp_path


@pytest.mark.parametrize("name", ["site", "validate"])
def test_inventory_without_groups(name, bare):
    ran = playbook(name, inventory=bare)
    assert ran.code != 0
    assert "slurm_master has 0 hosts, and must have one. Remedy: make lab-up" in ran.words()
    assert "slurm_worker has no hosts. Remedy: make lab-up" in ran.words()


@pytest.mark.parametrize("name", ["run_job", "results", "job_status", "cancel_job", "verify"])
def test_verb_without_a_cluster(name, bare):
    ran = playbook(name, inventory=bare)
    assert ran.code != 0
    assert "make lab-up" in ran.words()


def test_host_in_both_groups(bare):
    (bare / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {
        group: {"hosts": {"node1": None}} for group in ("slurm_master", "slurm_worker")}}}))
    ran = playbook("validate", inventory=bare)
    assert ran.code != 0
    assert "node1 is in slurm_master and in slurm_worker. Remedy:" in ran.words()

"""What cluster_servers does with a cloud of ours: races, failed boots and servers of others."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import pytest
from ansible.module_utils import cloud_calls, cloud_servers
from ansible.module_utils.cloud_errors import Problem
from cloud_support import api_error, resource
from cluster_servers import ClusterServersModule
from openstack.exceptions import NotFoundException

MARK = {"eocluster_cluster": "demo"}
OPTIONS = {"image": "Debian 12", "flavor": "small", "networks": ["cluster"], "security_groups": None,
           "key_name": None, "metadata": None, "user_data": None, "availability_zone": None, "root_volume_gb": 0}
NO_HOST = "No valid host was found. There are not enough hosts available."


def options(name="demo-worker001", **more):
    return {**OPTIONS, "name": name, **more}


class Cloud:
    """A project's servers. A new one is BUILD when it is first listed, and then what `fates` says, or ACTIVE."""

    def __init__(self):
        self.current_project_id = "project"
        self.there = []
        self.numbers = itertools.count(1)
        self.fates = []
        self.reasons = []  # what get_server says, one after the other, of why a server is in ERROR
        self.on_create = lambda: None
        self.compute = self.image = self.network = self
        self.networks = self._lister(resource("cluster"))
        self.security_groups = self._lister(resource("nodes"))
        self.keypairs = self._lister(resource("demo-key"))
        self.images = self._lister(resource("Debian 12", min_disk=4, min_ram=512),
                                   resource("large", min_disk=20, min_ram=0))
        self.flavors = self._lister(resource("small", 1, disk=8, ram=1024), resource("tiny", 2, disk=8, ram=256),
                                    resource("diskless", 3, disk=0, ram=1024))
        self.availability_zones = self._lister(SimpleNamespace(name="nova"))

    @staticmethod
    def _lister(*resources):
        return lambda **query: [one for one in resources if query.get("name", one.name) == one.name]

    def add(self, name="demo-worker001", status="ACTIVE", mark=MARK, **more):
        number = next(self.numbers)
        server = SimpleNamespace(**{
            "id": f"id-{number}", "name": name, "status": status, "metadata": dict(mark), "task_state": None,
            "created_at": f"2026-11-22T19:00:{number:02}Z", "launched_at": "then" if status == "ACTIVE" else None,
            "fault": {"message": NO_HOST} if status == "ERROR" else None, "addresses": {},
            "flavor": SimpleNamespace(original_name="small", id=None), "image": SimpleNamespace(id="id-1"), **more})
        self.there.append(server)
        return server

    def servers(self):
        yield from [SimpleNamespace(**vars(server)) for server in self.there]
        for server in self.there:
            if server.status == "BUILD":
                server.status, server.launched_at = ("ACTIVE", "now") if not self.fates else (self.fates.pop(0), None)
                server.fault = {"message": NO_HOST} if server.status == "ERROR" else None

    def get_server(self, server_id):
        (server,) = [server for server in self.there if server.id == server_id]
        return SimpleNamespace(**{**vars(server), "fault": self.reasons.pop(0) if self.reasons else server.fault})

    def create_server(self, name, metadata, **request):
        self.on_create()
        return self.add(name, "BUILD", metadata)

    def delete_server(self, server_id, ignore_missing):
        found = [server for server in self.there if server.id == server_id]
        if not found:
            raise NotFoundException("gone")
        self.there.remove(found[0])


class Module(ClusterServersModule):
    """The module, without Ansible and with another cloud."""

    def __init__(self, cloud, *servers, check_mode=False, **params):
        self.conn, self.check_mode, self.deadline, self.failures = cloud, check_mode, time.monotonic() + 60, {}
        self.params = {"servers": list(servers or [options()]), "mark": MARK, "state": "present", "wait": True,
                       "timeout": 60, **params}
        self.warnings = []
        self.warn = self.warnings.append


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(cloud_calls.random, "uniform", lambda *_: 0)


@pytest.fixture
def cloud():
    return Cloud()


def ids(cloud):
    return [server.id for server in cloud.there]


def test_servers_are_made_and_waited_for(cloud):
    result = Module(cloud, options("a"), options("b")).work()
    assert result["changed"] and result["made"] == ["a", "b"]
    assert [(one["name"], one["status"]) for one in result["servers"]] == [("a", "ACTIVE"), ("b", "ACTIVE")]
    assert all(server.metadata == MARK for server in cloud.there)


def test_again_changes_nothing(cloud):
    cloud.add()
    result = Module(cloud).work()
    assert not result["changed"] and [one["id"] for one in result["servers"]] == ids(cloud) == ["id-1"]


def test_check_mode_makes_and_deletes_nothing(cloud):
    cloud.add("b", "ERROR")
    result = Module(cloud, options("a"), options("b"), check_mode=True).work()
    assert result["changed"] and result["made"] == ["a", "b"] and result["deleted"] == ["b"] and ids(cloud) == ["id-1"]
    assert [one["name"] for one in result["diff"]["after"]["servers"]] == ["a", "b"]


def test_a_killed_runs_server_is_waited_for(cloud):
    cloud.add(status="BUILD")
    result = Module(cloud).work()
    assert not result["changed"] and [one["status"] for one in result["servers"]] == ["ACTIVE"]


def test_another_run_was_first(cloud):
    cloud.on_create = lambda: cloud.add()  # its request arrives before ours
    module = Module(cloud)
    result = module.work()
    assert ids(cloud) == ["id-1"] == [one["id"] for one in result["servers"]]
    assert not result["changed"] and not module.failures


def test_a_killed_runs_request_arrives_late(cloud):
    late = [1]

    def other_request():
        if late:
            late.pop()
            cloud.add(status="BUILD", created_at="2026-11-22T20:00:00Z")

    cloud.on_create = other_request
    result = Module(cloud).work()
    assert ids(cloud) == ["id-2"] and result["made"] == ["demo-worker001"]


def test_ours_is_deleted_by_another_run_that_was_first(cloud):
    def listed(original=cloud.servers):
        servers = list(original())
        if len(cloud.there) == 1 and cloud.there[0].id == "id-1":
            cloud.there[:] = []
            cloud.add()
        return servers

    cloud.servers = listed
    result = Module(cloud).work()
    assert ids(cloud) == ["id-2"] == [one["id"] for one in result["servers"]] and not result["changed"]


def test_namesakes_of_a_killed_run_are_deleted(cloud):
    cloud.add()
    cloud.add()
    result = Module(cloud).work()
    assert ids(cloud) == ["id-1"] and result["deleted"] == ["demo-worker001"]


def test_a_boot_that_failed_is_done_anew(cloud):
    cloud.add(status="ERROR")
    result = Module(cloud).work()
    assert ids(cloud) == ["id-2"] and result["made"] == result["deleted"] == ["demo-worker001"]


def test_a_boot_that_fails_is_done_anew_once(cloud):
    cloud.fates = ["ERROR"]
    module = Module(cloud)
    assert module.work()["made"] == ["demo-worker001"] and ids(cloud) == ["id-2"] and not module.failures


def test_a_boot_that_fails_twice_is_told(cloud):
    cloud.fates = ["ERROR"] * 3
    module = Module(cloud, options(), options("other"))
    cloud.add("other")
    result = module.work()
    assert len(cloud.there) == 2 and [one["status"] for one in result["servers"]] == ["ERROR", "ACTIVE"]
    assert list(module.failures) == ["demo-worker001"]
    assert NO_HOST.rstrip(".") in module.failures["demo-worker001"]
    assert "another flavor" in module.failures["demo-worker001"]


def test_the_reason_of_a_failure_may_come_late(cloud):
    cloud.add(status="ERROR", launched_at="then", fault=None)
    cloud.reasons = [None, {"message": "the disk broke"}]
    module = Module(cloud)
    module.work()
    assert "the disk broke" in module.failures["demo-worker001"]


def test_a_server_that_ran_is_never_made_anew(cloud):
    cloud.add(status="ERROR", launched_at="then")
    module = Module(cloud)
    assert not module.work()["changed"] and ids(cloud) == ["id-1"]
    assert "reboot --hard id-1" in module.failures["demo-worker001"]


def test_a_failed_request_leaves_the_others_alone(cloud):
    def refuse_the_first():
        cloud.on_create = lambda: None
        raise api_error(403, "Quota exceeded for instances: Requested 1, but already used 70 of 70 instances")

    cloud.on_create = refuse_the_first
    module = Module(cloud, options("a"), options("b"))
    assert len(module.work()["servers"]) == 1
    (message,) = module.failures.values()
    assert "70 of 70 instances" in message and "fewer or smaller servers" in message


def test_a_lost_answer_does_not_make_two(cloud):
    def lose_the_answer():
        cloud.on_create = lambda: None
        cloud.add(status="BUILD")
        raise api_error(504, "late")

    cloud.on_create = lose_the_answer
    result = Module(cloud).work()
    assert ids(cloud) == ["id-1"] and result["made"] == ["demo-worker001"]


def test_a_boot_that_lasts_too_long_is_told(cloud):
    cloud.fates = ["BUILD"] * 1000
    module = Module(cloud)
    module.deadline = time.monotonic() + 2
    module.work()
    assert "still being built" in module.failures["demo-worker001"] and len(cloud.there) == 1


def test_without_waiting_nothing_is_waited_for(cloud):
    cloud.fates = ["BUILD"] * 1000
    module = Module(cloud, wait=False)
    assert [one["status"] for one in module.work()["servers"]] == ["BUILD"] and not module.failures


def test_a_namesake_of_others_is_refused(cloud):
    cloud.add("b", mark={"eocluster_cluster": "other"})
    cloud.add("c", mark={})
    with pytest.raises(Problem, match=r"'b' \(id-1\).*not this cluster's.*'c' \(id-2\)"):
        Module(cloud, options("a"), options("b"), options("c")).work()
    assert len(cloud.there) == 2


def test_all_faults_are_told_before_anything_is_made(cloud):
    cloud.add("mine", mark={})
    with pytest.raises(Problem) as raised:
        Module(cloud, options("a", image="Debian 11"), options("b", flavor=None), options("b", networks=["clustr"]),
               options("mine", key_name="other-key", security_groups=["node"], availability_zone="moon",
                       metadata={"eocluster_cluster": "other"}, root_volume_gb=-1)).work()
    for words in ("There is no image 'Debian 11'", "Debian 12 (id-1)", "'b' has no flavor", "names 'b' 2 times",
                  "There is no network 'clustr'", "no key pair 'other-key'", "no security group 'node'",
                  "no availability_zone 'moon'", "nova", "leave it out of metadata", "is -1", "named 'mine'"):
        assert words in str(raised.value)
    assert len(cloud.there) == 1


@pytest.mark.parametrize("server, words", [
    ({"image": "large"}, "needs a disk of 20 GB, and flavor 'small' has 8"),
    ({"image": "large", "root_volume_gb": 10}, "and root_volume_gb has 10"),
    ({"flavor": "tiny"}, "needs 512 MB of memory"), ({"flavor": "diskless"}, "give root_volume_gb")])
def test_images_that_do_not_fit_are_told(cloud, server, words):
    with pytest.raises(Problem, match=words):
        Module(cloud, options(**server)).work()
    assert cloud.there == []


def test_what_differs_is_told_and_kept(cloud):
    cloud.add(flavor=SimpleNamespace(original_name="tiny", id=None))
    (server,) = Module(cloud, options(root_volume_gb=8)).work()["servers"]
    assert server["differences"] == {"flavor": {"is": "tiny", "wanted": "small"},
                                     "root_volume_gb": {"is": 0, "wanted": 8}}


@pytest.mark.parametrize("older_api, expected", [("id-1", {}), ("id-9", {"flavor": {"is": "id-9", "wanted": "small"}})])
def test_older_nova_tells_the_flavors_id(cloud, older_api, expected):
    cloud.add(flavor=SimpleNamespace(original_name=None, id=older_api))
    assert Module(cloud).work()["servers"][0]["differences"] == expected


def test_absent_deletes_only_what_bears_the_mark(cloud):
    cloud.add("a")
    cloud.add("b", mark={"eocluster_cluster": "other"})
    cloud.add("c")
    cloud.add("d")
    module = Module(cloud, options("a"), options("b"), options("id-4"), options("nobody"), state="absent")
    result = module.work()
    assert result["changed"] and result["deleted"] == ["a", "d"] and ids(cloud) == ["id-2", "id-3"]
    assert "b (id-2)" in module.warnings[0] and result["servers"] == []
    assert not Module(cloud, options("a"), state="absent").work()["changed"]


def test_absent_in_check_mode(cloud):
    cloud.add("a")
    result = Module(cloud, options("a"), state="absent", check_mode=True).work()
    assert result["deleted"] == ["a"] and result["diff"]["after"] == {"servers": []} and ids(cloud) == ["id-1"]


def test_a_server_that_cannot_be_deleted_is_told(cloud):
    cloud.add("a")
    cloud.add("b")
    delete = cloud.delete_server

    def locked(server_id, ignore_missing):
        if server_id == "id-1":
            raise api_error(409, "Instance id-1 is locked")
        delete(server_id, ignore_missing)

    cloud.delete_server = locked
    module = Module(cloud, options("a"), options("b"), state="absent")
    result = module.work()
    assert result["deleted"] == ["b"] and [one["name"] for one in result["servers"]] == ["a"]
    assert "openstack server unlock a" in module.failures["a"]


def test_a_request_holds_what_the_user_named():
    resources = {("image", "Debian 12"): resource("Debian 12", 1), ("flavor", "small"): resource("small", 2),
                 ("network", "cluster"): resource("cluster", 3), ("security group", "nodes"): resource("nodes", 4)}
    more = {"security_groups": ["nodes"], "key_name": "demo-key", "metadata": {"role": "worker"},
            "user_data": "#!/bin/sh", "availability_zone": "nova", "root_volume_gb": 40}
    assert cloud_servers.request_for(options(**more), MARK, resources) == {
        "name": "demo-worker001", "flavor_id": "id-2", "networks": [{"uuid": "id-3"}],
        "metadata": {"role": "worker", **MARK}, "security_groups": [{"name": "id-4"}], "key_name": "demo-key",
        "user_data": "IyEvYmluL3No", "availability_zone": "nova", "block_device_mapping": [{
            "uuid": "id-1", "source_type": "image", "destination_type": "volume", "volume_size": 40, "boot_index": 0,
            "delete_on_termination": True}]}
    assert cloud_servers.request_for(options(), MARK, resources)["image_id"] == "id-1"


@pytest.mark.parametrize("fault, words", [
    (NO_HOST, "another flavor"), ("Exceeded maximum number of retries. Exhausted all hosts available", "has room"),
    ("Build of instance 7 aborted: Failed to allocate the network(s), not rescheduling.", "free addresses"),
    ("Build of instance 7 aborted: Volume 8 did not finish being created even after we waited", "root volume"),
    ("Maximum number of ports exceeded", "quota of ports"), (None, "the provider the server's ID id-7"),
    ("Something new", "the provider the server's ID id-7")])
def test_faults_of_boots_say_what_to_do(fault, words):
    server = SimpleNamespace(id="id-7", name="a", status="ERROR", launched_at=None, fault=fault and {"message": fault})
    assert words in cloud_servers.failure_of(server)

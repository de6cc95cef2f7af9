"""The module cluster_servers, run by Ansible against a real OpenStack, as a member with an application credential."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def cluster(member: Any) -> Iterator[str]:
    """A cluster's name. What bears its mark is deleted after the test."""
    name = f"boot{secrets.token_hex(3)}"
    yield name
    left = [server for server in member.compute.servers() if (server.metadata or {}).get("eocluster_cluster") == name]
    for server in left:
        member.compute.delete_server(server)
    for server in left:
        member.compute.wait_for_delete(server, interval=0.5)


@pytest.fixture
def there(member: Any) -> Callable[[str], list[Any]]:
    """The servers whose names begin with a cluster's name, in the order of their names."""
    def servers(cluster: str) -> list[Any]:
        found = [server for server in member.compute.servers() if server.name.startswith(f"{cluster}-")]
        return sorted(found, key=lambda server: server.name)
    return servers


@pytest.fixture
def wanted(cluster: str, cluster_network: Any) -> Callable[..., dict[str, Any]]:
    """A task that wants so many workers."""
    def task(count: int, **more: Any) -> dict[str, Any]:
        return {"mark": {"eocluster_cluster": cluster}, "servers": [
            {"name": f"{cluster}-worker{number:03}", "image": "Debian 12", "flavor": "eo1.xsmall",
             "networks": [cluster_network.name], "security_groups": ["default"],
             "metadata": {"eocluster_role": "worker"}, "user_data": "#cloud-config\n", **more}
            for number in range(1, count + 1)]}
    return task


def test_boot_again_and_delete(boot, wanted, there, cluster, cluster_network):
    task = wanted(5)
    planned, first, again, larger = boot({**task, "check_mode": True}, task, task, wanted(5, flavor="eo1.small"))
    names = [server["name"] for server in task["servers"]]
    assert planned["changed"] and planned["servers"] == [] and planned["made"] == names
    assert [entry["name"] for entry in planned["diff"]["after"]["servers"]] == names
    servers = there(cluster)
    assert [server.name for server in servers] == names == first["made"] and first["changed"]
    assert [entry["id"] for entry in first["servers"]] == [server.id for server in servers]
    for entry in first["servers"]:
        assert entry["status"] == "ACTIVE" and entry["created"] and entry["differences"] == {}
        assert entry["metadata"] == {"eocluster_cluster": cluster, "eocluster_role": "worker"}
        (address,) = entry["addresses"]
        assert address["network"] == cluster_network.name and address["type"] == "fixed"
        assert address["address"].startswith("10.0.0.") and address["mac"].count(":") == 5
    assert not again["changed"] and again["made"] == again["deleted"] == [] and again["servers"] == first["servers"]
    assert not larger["changed"]
    assert larger["servers"][4]["differences"] == {"flavor": {"is": "eo1.xsmall", "wanted": "eo1.small"}}

    absent = {**task, "state": "absent", "servers": [{"name": names[4]}, {"name": servers[3].id}, {"name": "nobody"}]}
    planned, gone, gone_again = boot({**absent, "check_mode": True}, absent, absent)
    assert planned["changed"] and planned["deleted"] == names[3:] and len(planned["servers"]) == 2
    assert gone["changed"] and gone["deleted"] == names[3:] and gone["servers"] == []
    assert not gone_again["changed"] and [server.name for server in there(cluster)] == names[:3]


def test_check_mode_makes_nothing(boot, wanted, there, cluster):
    (planned,) = boot({**wanted(2), "check_mode": True})
    assert planned["changed"] and there(cluster) == []


def test_what_bears_no_mark_is_refused_and_kept(boot, wanted, make_server, there, cluster):
    stranger = make_server(f"{cluster}-worker002")
    refused, kept = boot(wanted(3), {**wanted(3), "state": "absent"})
    assert refused["failed"] and stranger.id in refused["msg"] and "not this cluster's" in refused["msg"]
    assert not kept.get("failed") and not kept["changed"] and stranger.id in str(kept["warnings"])
    assert [server.id for server in there(cluster)] == [stranger.id]


def test_two_runs_at_the_same_time_end_with_one_each(boot, wanted, there, cluster):
    runs = [boot.start(wanted(4)) for _ in range(2)]
    first, second = (boot.results(run)[0] for run in runs)
    ids = [server.id for server in there(cluster)]
    assert len(ids) == 4 and sorted(first["made"] + second["made"]) == [entry["name"] for entry in first["servers"]]
    for result in (first, second):
        assert [entry["id"] for entry in result["servers"]] == ids


def test_a_killed_run_is_continued(boot, wanted, there, cluster):
    run = boot.start(wanted(5))
    while not there(cluster):  # in the midst of its requests
        assert run.poll() is None, run.communicate()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    again, unchanged = boot(wanted(5), wanted(5))
    assert not again.get("failed") and not unchanged["changed"]
    assert [server.name for server in there(cluster)] == [entry["name"] for entry in again["servers"]]
    assert len(again["servers"]) == 5 and {entry["status"] for entry in again["servers"]} == {"ACTIVE"}


def test_all_faults_are_told_at_once(boot, wanted, there, cluster):
    task = wanted(2, image="Debian 11", flavor="eo1.smal", networks=["clustr"], key_name="no-key",
                  security_groups=["defualt"], availability_zone="mars")
    (result,) = boot(task)
    assert result["failed"]
    for words in ("no image 'Debian 11'", "Debian 12", "no flavor 'eo1.smal'", "eo1.small", "no network 'clustr'",
                  "no key pair 'no-key'", "no security group 'defualt'", "default", "no availability_zone 'mars'"):
        assert words in result["msg"]
    assert there(cluster) == []


def test_servers_in_error(boot, wanted, there, admin, member, cluster):
    boot(wanted(2))
    used, _ = there(cluster)
    admin.compute.reset_server_state(used, "error")
    (result,) = boot(wanted(2))
    admin.compute.reset_server_state(used, "active")
    assert result["failed"] and list(result["failures"]) == [used.name] and "It ran, and is in ERROR" in result["msg"]
    assert not result["changed"] and len(result["servers"]) == 2


def test_no_host_has_room(boot, wanted, there, admin, member, cluster):
    flavor = admin.compute.create_flavor(name=f"{cluster}-huge", vcpus=1, ram=1024, disk=10 ** 9)
    try:
        (result,) = boot(wanted(1, flavor=flavor.name))
        assert result["failed"] and "No valid host" in result["msg"] and "another flavor" in result["msg"]
        (broken,) = there(cluster)  # one, though it was made anew
        assert broken.status == "ERROR"
        (mended,) = boot(wanted(1))
        assert mended["made"] == mended["deleted"] == [broken.name]
        assert [server.status for server in there(cluster)] == ["ACTIVE"]
    finally:
        admin.compute.delete_flavor(flavor)


def test_quota(boot, wanted, there, admin, member, cluster):
    boot(wanted(1))
    project = member.current_project_id
    limit = admin.get_compute_quotas(project)["instances"]
    admin.set_compute_quotas(project, instances=1)
    try:
        (result,) = boot(wanted(3))
    finally:
        admin.set_compute_quotas(project, instances=limit)
    assert result["failed"] and len(result["failures"]) == 2 and "fewer or smaller servers" in result["msg"]
    assert "of 1 instances" in result["msg"] and len(result["servers"]) == len(there(cluster)) == 1

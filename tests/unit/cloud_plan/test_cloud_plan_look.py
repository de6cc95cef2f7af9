"""What cloud_plan makes of a cloud that does not tell everything, or does not answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.module_utils.cloud_errors import Problem
from ansible.module_utils.cloud_plan_connect import connection_fault
from ansible.module_utils.cloud_plan_look import look
from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as sdk_errors


def refusing(status):
    """A call of openstacksdk's that the API refuses."""
    def call(*_, **__):
        error = sdk_errors.HttpException("Error", details="no")
        error.status_code = status
        raise error
    return call


def connection(roles=("member",), kinds=("compute", "network", "image", "volumev3"), **calls):
    """A connection to a cloud without anything in it; `calls` are by their names in openstacksdk."""
    def service(*names):
        return SimpleNamespace(**{name: calls.get(name, lambda **_: iter(())) for name in names})

    access = SimpleNamespace(role_names=list(roles),
                             service_catalog=SimpleNamespace(catalog=[{"type": kind} for kind in kinds]))
    compute = service("servers", "flavors", "availability_zones", "keypairs")
    compute.get_limits = calls.get("get_limits", lambda: SimpleNamespace(absolute="compute"))
    block_storage = service("volumes")
    block_storage.get_limits = lambda: SimpleNamespace(absolute="volumes")
    network = service("networks", "subnets", "ports", "routers", "security_groups", "ips")
    network.get_quota = calls.get("get_quota", lambda project, details: "network")
    return SimpleNamespace(
        session=SimpleNamespace(auth=SimpleNamespace(get_access=lambda _: access)), current_project_id="p",
        compute=compute, network=network, image=service("images"), block_storage=block_storage)


def once(request):
    return request()


def test_all_is_seen(faults):
    cloud = look(connection(networks=lambda **_: iter(["a"])), once, faults)
    assert faults.found == [] and cloud.is_whole and cloud.networks == ["a"] and cloud.servers == []
    assert (cloud.compute_limits, cloud.network_quota, cloud.volume_limits) == ("compute", "network", "volumes")


def test_a_service_that_fails_does_not_hide_the_others(faults):
    cloud = look(connection(images=refusing(503), get_quota=refusing(403)), once, faults)
    assert cloud.unseen == {"images", "network_quota"} and not cloud.is_whole
    assert [(fault["severity"], fault["text"][:35]) for fault in faults.found] == [
        ("ERROR", "cloud: images could not be looked a"), ("WARNING", "cloud: network quota could not be l")]


def test_limits_are_not_needed_for_a_plan(faults):
    assert look(connection(get_limits=refusing(403)), once, faults).is_whole


def test_a_cloud_without_volumes(faults):
    cloud = look(connection(kinds=("compute",)), once, faults)
    assert not cloud.has_volumes and cloud.volume_limits is None and faults.found == []


def test_credentials_without_a_project(faults):
    cloud = connection()
    cloud.current_project_id = None
    with pytest.raises(Problem, match="project_name or project_id is missing"):
        look(cloud, once, faults)


@pytest.mark.parametrize("roles, warned", [(["reader"], True), (["Member", "reader"], False), (["admin"], False),
                                           (["heat_stack_owner"], True), ([], False)])
def test_roles(faults, roles, warned):
    look(connection(roles), once, faults)
    assert [fault["severity"] for fault in faults.found] == (["WARNING"] if warned else [])


@pytest.mark.parametrize("error, cloud, words", [
    (keystone_errors.Unauthorized("no"), "mine", "'mine' refuses the credentials: no"),
    (keystone_errors.NotFound("gone"), "mine", "an application credential may have expired"),
    (keystone_errors.ConnectFailure("no route"), None, "No cloud is named. It does not answer: no route"),
    (keystone_errors.MissingRequiredOptions([SimpleNamespace(dest="auth_url")]), {"auth": {}}, "auth_url"),
    (Problem("Cloud mine was not found."), "mine", "'mine' is in no clouds.yaml."),
    (keystone_errors.ServiceUnavailable("oops"), "mine", "The cloud itself failed")])
def test_no_connection(faults, monkeypatch, tmp_path, error, cloud, words):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    connection_fault(error, cloud, faults)
    (fault,) = faults.found
    assert fault["severity"] == "ERROR" and words in fault["text"] and "Remedy:" in fault["text"]


def test_the_clouds_that_there_are(faults, monkeypatch, tmp_path):
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds:\n  waw3-1:\n    auth: {auth_url: http://x, password: secret}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    connection_fault(Problem("Cloud waw was not found."), "waw", faults)
    assert "There are: waw3-1. Remedy" in faults.found[0]["text"] and "secret" not in faults.found[0]["text"]

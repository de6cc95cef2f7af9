"""What server_interface decides without a cloud: which resource is meant, what an error means, which port stays."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as sdk_errors

PATH = Path(__file__).resolve().parents[3] / "plugins" / "modules" / "server_interface.py"
SPEC = importlib.util.spec_from_file_location("server_interface", PATH)
assert SPEC and SPEC.loader
module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(module)

ID = "507afcf1-a718-453c-b980-3bddc8441d4e"


def resource(name, number=1):
    return SimpleNamespace(name=name, id=f"id-{number}")


def port(port_id, created_at="2026-11-22T19:00:57Z"):
    return SimpleNamespace(id=port_id, created_at=created_at)


def api_error(status, details, request_id=None):
    """An error as openstacksdk raises it from an HTTP response."""
    error = sdk_errors.HttpException("Error", details=details, request_id=request_id)
    error.status_code = status
    return error


# Nova's and Neutron's own words, as the rig says them.
BUILDING = "Cannot 'attach_interface' instance 7538 while it is in vm_state building"
TASK = "Cannot 'attach_interface' instance 7538 while it is in task_state powering-off"
ERROR = "Cannot 'attach_interface' instance 7538 while it is in vm_state error"
SUSPENDED = "Cannot 'attach_interface' instance 7538 while it is in vm_state suspended"
LOCKED = "Instance 7538 is locked"
IP_IN_USE = "Fixed IP 192.0.2.1 is already in use."
PORT_IN_USE = "Port fcad is still in use."


@pytest.mark.parametrize("wanted, number", [("worker001", 1), ("id-2", 2)])
def test_choose_by_name_or_id(wanted, number):
    assert module.choose("server", wanted, [resource("worker001", 1), resource("worker002", 2)]).id == f"id-{number}"


def test_choose_prefers_the_id():
    assert module.choose("server", "id-1", [resource("id-1", 2), resource("a", 1)]).id == "id-1"


def test_choose_lists_namesakes():
    with pytest.raises(module.Problem, match=r"2 networks are named 'a': a \(id-1\), a \(id-2\)\. Remedy: give the ID"):
        module.choose("network", "a", [resource("a", 1), resource("a", 2), resource("b", 3)])


def test_choose_lists_the_most_similar_first():
    names = [resource(f"other{number}", number) for number in range(12)] + [resource("eodata_00341_3", 99)]
    with pytest.raises(module.Problem, match=r"There is: eodata_00341_3 \(id-99\), other.* and 3 more\."):
        module.choose("network", "eodata_341", names)


def test_choose_from_nothing():
    with pytest.raises(module.Problem, match="right project and region"):
        module.choose("server", "a", [])


def test_choose_among_ports_without_names():
    with pytest.raises(module.Problem, match=r"without a name \(id-1\)"):
        module.choose("port", "a", [resource("", 1)])


@pytest.mark.parametrize("text, expected", [(ID, True), (ID.upper(), True), ("worker001", False), (ID[:-1], False),
                                            (ID.replace("-", ""), False)])
def test_is_uuid(text, expected):
    assert module.is_uuid(text) is expected


@pytest.mark.parametrize("error, expected", [
    (api_error(409, BUILDING), True), (api_error(409, TASK), True), (api_error(409, "try again"), True),
    (api_error(409, ERROR), False), (api_error(409, SUSPENDED), False), (api_error(409, LOCKED), False),
    (api_error(409, IP_IN_USE), False), (api_error(409, PORT_IN_USE), False),
    (api_error(429, "slow down"), True), (api_error(500, "oops"), True), (api_error(503, "oops"), True),
    (api_error(501, "not here"), False), (api_error(400, "bad"), False), (api_error(403, "no"), False),
    (keystone_errors.ConnectFailure("no route"), True), (keystone_errors.ConnectTimeout("late"), True),
    (keystone_errors.ServiceUnavailable("oops"), True), (keystone_errors.Unauthorized("no"), False),
    (sdk_errors.SDKException("odd"), False)])
def test_what_passes_by_itself(error, expected):
    assert module.passes(error) is expected


@pytest.mark.parametrize("error, words", [
    (api_error(409, ERROR), "openstack server show worker001 -c fault"),
    (api_error(409, BUILDING), "raise timeout"),
    (api_error(409, TASK), "raise timeout"),
    (api_error(409, SUSPENDED), "resume, unshelve or unrescue worker001"),
    (api_error(409, LOCKED), "openstack server unlock worker001"),
    (api_error(403, "Maximum number of ports exceeded"), "quota of ports is reached"),
    (api_error(409, "Quota exceeded for resources: ['port']."), "quota of ports is reached"),
    (api_error(400, "No fixed IP addresses available for network: 8c98"), "another subnet"),
    (api_error(409, IP_IN_USE), "another address"),
    (api_error(403, "((rule:create_port and (rule:create_port:fixed_ips)) is disallowed by policy"),
     "leave fixed_ips out"),
    (api_error(403, "It is not allowed to create an interface on external network ddc7"), "floating IPs"),
    (api_error(400, "Network requires port_security_enabled and subnet associated in order to apply"), "no subnet"),
    (api_error(400, "Port ea33 not usable for instance 7538."), "same project"),
    (api_error(409, PORT_IN_USE), "another port"),
    (api_error(400, "Port security must be enabled and port must have an IP address"), "leave security_groups out"),
    (api_error(403, "Policy doesn't allow os_compute_api:os-attach-interfaces:create to be performed."), "`member`"),
    (api_error(404, "Instance 7538 could not be found."), "deleted meanwhile"),
    (api_error(429, "slow down"), "fewer requests"),
    (api_error(500, "Unexpected API Error.", "req-12"), "give the provider the request req-12"),
    (keystone_errors.Unauthorized("This requires authentication."), "credentials are not accepted"),
    (keystone_errors.SSLError("certificate verify failed"), "ca_cert"),
    (keystone_errors.ConnectTimeout("Request timed out"), "does not answer"),
    (module.Problem("what is wrong. Remedy: this."), "what is wrong. Remedy: this.")])
def test_errors_say_what_to_do(error, words):
    assert words in module.explain(error, "worker001")


def test_the_words_of_the_api_are_kept():
    assert module.explain(api_error(409, LOCKED), "w").startswith("HTTP 409: Instance 7538 is locked. Remedy:")


def test_unknown_errors_are_passed_on():
    assert module.explain(api_error(418, "I am\n a teapot"), "w") == "HTTP 418: I am a teapot."


def test_braces_of_the_api_do_no_harm():
    assert "{u'port': 1}" in module.explain(api_error(409, "Quota exceeded {u'port': 1}"), "w")


def test_two_runs_agree_on_the_port_that_stays():
    old, young, twin = port("b"), port("a", "2026-11-22T19:00:58Z"), port("c")
    for ports in ([old, young, twin], [twin, young, old]):
        assert [module.is_surplus(one, ports) for one in ("b", "a", "c")] == [False, True, True]
    assert not module.is_surplus("a", [young])
    assert not module.is_surplus("gone", [old, young])

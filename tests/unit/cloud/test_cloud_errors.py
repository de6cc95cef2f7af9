"""Which errors pass by themselves, and what is said about the others."""

from __future__ import annotations

import pytest
import server_interface
from ansible.module_utils.cloud_errors import Problem, explain, passes
from cloud_support import api_error
from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as sdk_errors

OWN = server_interface.REMEDIES

# Nova's and Neutron's own words, as the rig says them.
BUILDING = "Cannot 'attach_interface' instance 7538 while it is in vm_state building"
TASK = "Cannot 'attach_interface' instance 7538 while it is in task_state powering-off"
ERROR = "Cannot 'attach_interface' instance 7538 while it is in vm_state error"
SUSPENDED = "Cannot 'attach_interface' instance 7538 while it is in vm_state suspended"
LOCKED = "Instance 7538 is locked"
IP_IN_USE = "Fixed IP 192.0.2.1 is already in use."
PORT_IN_USE = "Port fcad is still in use."


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
    assert passes(error, OWN) is expected


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
    (Problem("what is wrong. Remedy: this."), "what is wrong. Remedy: this.")])
def test_errors_say_what_to_do(error, words):
    assert words in explain(error, "worker001", OWN)


def test_the_words_of_the_api_are_kept():
    assert explain(api_error(409, LOCKED), "w").startswith("HTTP 409: Instance 7538 is locked. Remedy:")


def test_unknown_errors_are_passed_on():
    assert explain(api_error(418, "I am\n a teapot"), "w") == "HTTP 418: I am a teapot."


def test_braces_of_the_api_do_no_harm():
    assert "{u'port': 1}" in explain(api_error(409, "Quota exceeded {u'port': 1}"), "w")



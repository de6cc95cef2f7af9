"""The module server_interface, run by Ansible against a real OpenStack, as a member with an application credential."""

from __future__ import annotations

import pytest


def test_attach_and_detach_are_idempotent(play, server, on_network, cluster_network, eodata):
    present, absent = {"server": server.name, "network": eodata}, {"server": server.name, "network": eodata,
                                                                   "state": "absent"}
    planned, first, again = play({**present, "check_mode": True}, present, present)
    assert planned["changed"] and planned["interfaces"] == []
    assert planned["diff"]["before"] == {"interfaces": []}
    assert planned["diff"]["after"]["interfaces"][0].items() >= {
        "server_name": server.name, "net_id": first["interfaces"][0]["net_id"]}.items()

    (port,) = on_network(server)
    assert first["changed"] and first["diff"]["after"] == {"interfaces": first["interfaces"]}
    assert first["interfaces"] == [{
        "server_id": server.id, "server_name": server.name, "port_id": port.id, "port_state": "ACTIVE",
        "net_id": port.network_id, "mac_addr": port.mac_address, "fixed_ips": port.fixed_ips,
        "security_group_ids": port.security_group_ids}]
    assert not again["changed"] and again["interfaces"] == first["interfaces"]

    planned, gone, gone_again = play({**absent, "check_mode": True}, absent, absent)
    assert planned["changed"] and planned["interfaces"] == first["interfaces"]
    assert planned["diff"]["after"] == {"interfaces": []}
    assert gone["changed"] and gone["interfaces"] == []
    assert not gone_again["changed"]
    assert on_network(server) == []
    assert len(on_network(server, cluster_network.id)) == 1  # what was not asked for stays


def test_check_mode_makes_nothing(play, server, on_network, eodata):
    (planned,) = play({"server": server.name, "network": eodata, "check_mode": True})
    assert planned["changed"] and on_network(server) == []


def test_interfaces_attached_by_hand_are_recognised(play, server, on_network, command_line, eodata):
    command_line("server", "add", "network", server.name, eodata)
    command_line("server", "add", "network", server.name, eodata)
    task = {"server": server.id, "network": eodata}
    kept, gone = play(task, {**task, "state": "absent"})
    assert not kept["changed"] and len({entry["port_id"] for entry in kept["interfaces"]}) == 2
    assert gone["changed"] and on_network(server) == []


def test_many_servers_in_one_task(play, make_server, on_network, command_line, eodata):
    servers = [make_server() for _ in range(3)]
    command_line("server", "add", "network", servers[1].name, eodata)
    before = on_network(servers[1])
    # the first is named twice, by name and by ID
    names = [server.name for server in servers] + [servers[0].id]
    first, again, gone = play({"servers": names, "network": eodata}, {"servers": names, "network": eodata},
                              {"servers": names, "network": eodata, "state": "absent"})
    assert [entry["server_id"] for entry in first["interfaces"]] == [server.id for server in servers]
    assert first["interfaces"][1]["port_id"] == before[0].id
    assert first["changed"] and not again["changed"] and again["interfaces"] == first["interfaces"]
    assert gone["changed"] and not any(on_network(server) for server in servers)


def test_what_a_machine_needs_to_configure_the_interface(play, server, make_network, member):
    network = make_network(None, mtu=1400)
    subnet = member.network.create_subnet(
        network_id=network.id, name="b", ip_version=4, cidr="192.0.2.0/24", gateway_ip="192.0.2.1",
        dns_nameservers=["192.0.2.53"], host_routes=[{"destination": "198.51.100.0/24", "nexthop": "192.0.2.9"}])
    silent = member.network.create_subnet(
        network_id=network.id, name="a", ip_version=4, cidr="203.0.113.0/24", gateway_ip=None, is_dhcp_enabled=False)
    port = member.network.create_port(network_id=network.id)
    expected = {"id": network.id, "name": network.name, "mtu": 1400, "subnets": [
        {"id": silent.id, "cidr": "203.0.113.0/24", "ip_version": 4, "gateway_ip": None, "is_dhcp_enabled": False,
         "host_routes": [], "dns_nameservers": []},
        {"id": subnet.id, "cidr": "192.0.2.0/24", "ip_version": 4, "gateway_ip": "192.0.2.1", "is_dhcp_enabled": True,
         "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "192.0.2.9"}],
         "dns_nameservers": ["192.0.2.53"]}]}
    planned, attached, with_port = play({"server": server.name, "network": network.name, "check_mode": True},
                                        {"server": server.name, "network": network.name},
                                        {"server": server.name, "port": port.id, "check_mode": True})
    assert planned["network"] == attached["network"] == with_port["network"] == expected


def test_one_server_fails_and_the_others_are_served(play, make_server, member, on_network, eodata):
    good, locked = make_server(), make_server()
    member.compute.lock_server(locked)
    (result,) = play({"servers": [locked.name, good.name], "network": eodata})
    member.compute.unlock_server(locked)
    assert result["failed"] and result["changed"]
    assert set(result["failures"]) == {locked.name}
    assert f"openstack server unlock {locked.name}" in result["msg"]
    assert [entry["server_id"] for entry in result["interfaces"]] == [good.id]
    assert len(on_network(good)) == 1 and on_network(locked) == []


def test_a_given_port_is_plugged_in_and_left(play, make_server, make_network, member):
    network, server, other = make_network("192.0.2.0/24"), make_server(), make_server()
    port = member.network.create_port(network_id=network.id, name=f"port-{network.name}")
    task = {"server": server.name, "port": port.name}
    planned, first, again, elsewhere = play({**task, "check_mode": True}, task, task, {**task, "server": other.name})
    assert planned["changed"] and planned["diff"]["after"]["interfaces"][0]["port_id"] == port.id
    assert first["changed"] and [entry["port_id"] for entry in first["interfaces"]] == [port.id]
    assert not again["changed"] and again["interfaces"] == first["interfaces"]
    assert elsewhere["failed"] and server.id in elsewhere["msg"] and "detach it there first" in elsewhere["msg"]

    not_there, gone, gone_again = play({**task, "server": other.name, "state": "absent"}, {**task, "state": "absent"},
                                       {**task, "port": port.id, "state": "absent"})
    assert not not_there["changed"] and gone["changed"] and not gone_again["changed"]
    assert member.network.get_port(port).device_id == ""


def test_fixed_ips(play, make_server, make_network, member, eodata):
    network, server, other = make_network("192.0.2.0/24"), make_server(), make_server()
    task = {"server": server.name, "network": network.name, "fixed_ips": [{"ip_address": "192.0.2.77"}]}
    planned, first, again, changed = play({**task, "check_mode": True}, task, task,
                                          {**task, "fixed_ips": [{"ip_address": "192.0.2.78"}]})
    assert planned["diff"]["after"]["interfaces"][0]["fixed_ips"] == [{"ip_address": "192.0.2.77"}]
    assert [fixed["ip_address"] for fixed in first["interfaces"][0]["fixed_ips"]] == ["192.0.2.77"]
    assert not again["changed"]
    assert changed["failed"] and "192.0.2.77 and not 192.0.2.78" in changed["msg"]

    task["server"] = other.name
    taken, outside, nonsense, shared = play(
        task, {**task, "fixed_ips": [{"ip_address": "198.18.0.1"}]}, {**task, "fixed_ips": [{"ip_address": "seven"}]},
        {**task, "network": eodata, "fixed_ips": [{"ip_address": "10.111.9.9"}]})
    assert "another address" in taken["msg"]
    assert "in no subnet" in outside["msg"] and "192.0.2.0/24" in outside["msg"]
    assert "no IP address" in nonsense["msg"]
    assert "owner" in shared["msg"] and "leave fixed_ips out" in shared["msg"]


def test_security_groups(play, server, make_network, member, on_network):
    network = make_network("192.0.2.0/24")
    groups = [member.network.create_security_group(name=f"{network.name}-{letter}") for letter in "ab"]
    try:
        task = {"server": server.name, "network": network.name}
        first, again, planned, other, kept, none, unknown = play(
            {**task, "security_groups": [groups[0].name]}, {**task, "security_groups": [groups[0].id]},
            {**task, "security_groups": [groups[1].name], "check_mode": True},
            {**task, "security_groups": [groups[1].name]}, task, {**task, "security_groups": []},
            {**task, "security_groups": [groups[0].name[:-1]]})
    finally:
        (port,) = on_network(server, network.name)
        member.network.update_port(port, security_groups=[])
        for group in groups:
            member.network.delete_security_group(group)
    assert first["changed"] and first["interfaces"][0]["security_group_ids"] == [groups[0].id]
    assert not again["changed"]
    assert planned["changed"] and planned["interfaces"] == first["interfaces"]
    assert planned["diff"]["after"]["interfaces"][0]["security_group_ids"] == [groups[1].id]
    assert other["changed"] and other["interfaces"][0]["security_group_ids"] == [groups[1].id]
    assert not kept["changed"] and none["changed"] and none["interfaces"][0]["security_group_ids"] == []
    assert groups[0].id in unknown["msg"] and groups[1].id in unknown["msg"]


def test_unknown_names_list_candidates(play, make_server, member, eodata):
    server, network = make_server("candidate-worker001"), member.network.find_network(eodata)
    results = play(
        {"server": "candidate-worker01", "network": eodata}, {"server": server.name, "network": "eodata_341"},
        {"server": server.name, "port": "no-port"}, {"server": network.id, "network": eodata})
    assert all(result["failed"] for result in results)
    assert f"candidate-worker001 ({server.id})" in results[0]["msg"]
    assert f"{eodata} ({network.id})" in results[1]["msg"]
    assert "There is no port 'no-port'" in results[2]["msg"]
    assert f"There is no server '{network.id}'" in results[3]["msg"]


def test_ambiguous_names_list_candidates(play, make_server, make_network, eodata):
    servers = [make_server("twin"), make_server("twin")]
    networks = [make_network("192.0.2.0/24", name="twins"), make_network("192.0.2.0/24", name="twins")]
    results = play({"server": "twin", "network": eodata}, {"server": servers[0].id, "network": "twins"})
    for result, twins in zip(results, (servers, networks), strict=True):
        assert all(twin.id in result["msg"] for twin in twins) and "Remedy: give the ID" in result["msg"]


def test_states_of_the_server(play, server, admin, member, on_network, eodata):
    task = {"server": server.name, "network": eodata}
    admin.compute.reset_server_state(server, "error")
    (error,) = play(task)
    admin.compute.reset_server_state(server, "active")
    member.compute.suspend_server(server)
    member.compute.wait_for_server(server, status="SUSPENDED", interval=0.2)
    (suspended,) = play(task)
    member.compute.resume_server(server)
    member.compute.wait_for_server(server, interval=0.2)
    member.compute.stop_server(server)
    member.compute.wait_for_server(server, status="SHUTOFF", interval=0.2)
    attached, detached = play(task, {**task, "state": "absent"})
    assert error["failed"] and "is in ERROR" in error["msg"] and server.name in error["msg"]
    assert suspended["failed"] and "ACTIVE, PAUSED or SHUTOFF" in suspended["msg"]
    assert attached["changed"] and detached["changed"] and on_network(server) == []


@pytest.mark.parametrize("cidr, words", [("192.0.2.0/30", "Every address of the network is taken"),
                                         (None, "no subnet")])
def test_no_address(play, make_server, make_network, member, cidr, words):
    network = make_network(cidr)
    if cidr:
        for _ in range(2):  # a /30 has two addresses for machines
            member.network.create_port(network_id=network.id)
    (result,) = play({"server": make_server().name, "network": network.name})
    assert result["failed"] and words in result["msg"]


def test_quota(play, server, admin, member, on_network, eodata):
    project = member.current_project_id
    limits = member.network.get_quota(project, details=True).ports
    admin.network.update_quota(project, ports=limits["used"])
    try:
        (result,) = play({"server": server.name, "network": eodata})
    finally:
        admin.network.update_quota(project, ports=limits["limit"])
    assert result["failed"] and "quota of ports is reached" in result["msg"] and on_network(server) == []


def test_external_network(play, server):
    (result,) = play({"server": server.name, "network": "external"})
    assert "routers and floating IPs" in result["msg"]


def test_without_permission(play, server, member, eodata):
    auth_url = member.config.config["auth"]["auth_url"]
    wrong = {"auth_type": "password", "auth": {
        "auth_url": auth_url, "username": "eouser", "password": "wrong", "project_name": "cloud_00341",
        "user_domain_id": "default", "project_domain_id": "default"}, "region_name": "RegionOne"}
    nowhere = {**wrong, "auth": {**wrong["auth"], "auth_url": "http://127.0.0.1:9/v3"}}
    task = {"server": server.name, "network": eodata}
    reader, neighbour, rejected, silent = play(
        {**task, "cloud": "reader"}, {**task, "cloud": "neighbour"}, {**task, "cloud": wrong},
        {**task, "cloud": nowhere, "timeout": 3})
    assert "role `member`" in reader["msg"]
    assert "project" in neighbour["msg"] and server.id not in neighbour["msg"]
    assert "credentials are not accepted" in rejected["msg"]
    assert "does not answer" in silent["msg"]


def test_an_administrator_names_a_server_of_another_project(play, server, on_network, eodata):
    first, again = play(*({"server": server.id, "network": eodata, "cloud": "admin"} for _ in range(2)))
    assert first["changed"] and not again["changed"] and len(on_network(server)) == 1


@pytest.mark.parametrize("arguments, words", [
    ({"servers": ["a", "b"], "port": "c"}, "port can be in one server"),
    ({"servers": ["a", "b"], "network": "c", "fixed_ips": [{"ip_address": "192.0.2.7"}]}, "one for one"),
    ({"server": "a"}, "one of the following is required"),
    ({"server": "a", "network": "b", "port": "c"}, "mutually exclusive")])
def test_arguments_that_do_not_fit(play, arguments, words):
    (result,) = play(arguments)
    assert result["failed"] and words in result["msg"]

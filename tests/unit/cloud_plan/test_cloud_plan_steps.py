"""The plan, the estimate and what is ours, for a project that is empty, whole, or half done."""

from __future__ import annotations

import pytest

MARK = "eocluster:eo"


def steps(result, *kinds):
    return [(step["action"], step["kind"], step["name"])
            for step in result["plan"] if not kinds or step["kind"] in kinds]


def test_an_empty_project_shows_the_whole(make, plan):
    result = plan(make.cloud())
    names = ["eo-master001", "eo-worker001", "eo-worker002"]
    assert steps(result) == [
        ("make", "key pair", "eo-key"), ("make", "network", "eo-network"), ("make", "subnet", "eo-network"),
        ("make", "router", "eo-router"), ("make", "security group", "eo-nodes"), ("make", "volume", "eo-home"),
        *(("make", "server", name) for name in names), ("attach", "volume", "eo-home"),
        ("make", "floating ip", "external"), *(("attach", "interface", name) for name in names)]
    assert result["estimate"] == {
        "now": {"servers": 0, "cores": 0, "ram_gb": 0, "volume_gb": 0, "public_ips": 0},
        "wanted": {"servers": 3, "cores": 9, "ram_gb": 17, "volume_gb": 100, "public_ips": 1},
        "more": {"servers": 3, "cores": 9, "ram_gb": 17, "volume_gb": 100, "public_ips": 1}}
    assert not any(result["resources"].values())
    assert result["plan"][6]["line"] == "make    server          eo-master001 (small of 1 cores and 1 GB, Debian 12)"


def test_a_whole_cluster_is_kept(make, plan):
    result = plan(make.whole())
    assert {step["action"] for step in result["plan"]} == {"keep"} and len(result["plan"]) == 13
    assert result["estimate"]["more"] == {"servers": 0, "cores": 0, "ram_gb": 0, "volume_gb": 0, "public_ips": 0}
    assert result["estimate"]["now"] == {"servers": 3, "cores": 3, "ram_gb": 3, "volume_gb": 100, "public_ips": 1}


def test_what_is_ours(make, plan):
    cloud = make.whole()
    cloud.servers += [make.server("eo-worker009", cluster="eo2"), make.server("mine", cluster="")]
    cloud.networks.append(make.network("eo-network", description="eocluster:eo2"))
    ours = plan(cloud, provision=False, attach_network="")["resources"]
    assert [server["name"] for server in ours["servers"]] == ["eo-master001", "eo-worker001", "eo-worker002"]
    assert ours["servers"][0] == {
        "id": "eo-master001-id", "name": "eo-master001", "role": "master", "status": "ACTIVE", "volumes": [],
        "created": "2026-11-22T19:00:57Z", "addresses": {"eo-network": ["192.168.92.9"]}}
    assert ours["volumes"] == [{"id": "eo-home-id", "name": "eo-home", "size": 100, "status": "available",
                                "created": "2026-11-22T19:00:57Z", "attachments": ["eo-master001-id"]}]
    assert ours["floating_ips"] == [{
        "id": "198.51.100.7-id", "name": "198.51.100.7", "address": "198.51.100.7", "server_id": "eo-master001-id",
        "port_id": "eo-master001@eo-network-id"}]
    assert ours["routers"] == [{"id": "eo-router-id", "name": "eo-router", "subnet_ids": ["eo-network-subnet-id"]}]
    assert ours["networks"] == [{"id": "eo-network-id", "name": "eo-network"}]
    assert ours["key_pairs"] == [{"name": "eo-key", "fingerprint": "aa:bb"}]
    assert [len(ours[kind]) for kind in ("subnets", "security_groups")] == [1, 1]


def test_more_and_fewer_workers(make, plan):
    cloud = make.whole()
    cloud.servers[1].name = "eo-worker007"  # what is left after scaling down is not 001 and 002
    assert steps(plan(cloud, workers=4), "server") == [
        ("keep", "server", "eo-master001"), ("make", "server", "eo-worker001"), ("keep", "server", "eo-worker002"),
        ("make", "server", "eo-worker003"), ("keep", "server", "eo-worker007")]
    result = plan(cloud, workers=1)
    assert steps(result, "server")[-1] == ("surplus", "server", "eo-worker*")
    assert [step[0] for step in steps(result, "server")] == ["keep", "keep", "keep", "surplus"]
    (surplus,) = [step for step in result["plan"] if step["action"] == "surplus"]
    assert "2 workers are there and 1 are wanted; only `make scale`" in surplus["detail"]


def test_a_half_done_run_goes_on(make, plan):
    cloud = make.whole()
    del cloud.servers[2], cloud.ports[5], cloud.ports[2:4]  # a worker is missing, the master is not on eodata
    cloud.routers[0].external_gateway_info = None
    cloud.volumes[0].attachments = []
    cloud.floating_ips[0].port_id = None
    changes = [step for step in steps(plan(cloud)) if step[0] != "keep"]
    assert changes == [
        ("change", "router", "eo-router"), ("make", "server", "eo-worker002"), ("attach", "volume", "eo-home"),
        ("attach", "floating ip", "198.51.100.7"), ("attach", "interface", "eo-master001"),
        ("attach", "interface", "eo-worker002")]


def test_a_router_without_its_interface(make, plan):
    cloud = make.whole()
    cloud.ports = [port for port in cloud.ports if port.device_id != "eo-router-id"]
    (step,) = [step for step in plan(cloud)["plan"] if step["kind"] == "router"]
    assert (step["action"], step["detail"]) == ("change", "interface on the subnet")


@pytest.mark.parametrize("sources, detail", [
    (["192.0.2.7"], ""), (["192.0.2.8/32"], "add ssh from 192.0.2.8/32; remove tcp port 22 from 192.0.2.7/32"),
    (["192.0.2.7/32", "0.0.0.0/0"], "add ssh from 0.0.0.0/0")])
def test_the_group_follows_the_sources(make, plan, sources, detail):
    (step,) = [step for step in plan(make.whole(), ssh_sources=sources)["plan"] if step["kind"] == "security group"]
    assert (step["action"], step["detail"]) == ("change" if detail else "keep", detail)


def test_the_group_is_closed_again(make, plan):
    cloud = make.whole()
    group = cloud.security_groups[0]
    group.security_group_rules = [make.rule(protocol="tcp", port_range_min=22, port_range_max=22), make.rule()]
    (step,) = [step for step in plan(cloud, ssh_sources=["0.0.0.0/0"])["plan"] if step["kind"] == "security group"]
    assert step["detail"] == "add everything between members; remove every protocol from 0.0.0.0/0"


def test_what_the_user_has_is_used(make, plan):
    cloud = make.cloud()
    cloud.networks.append(make.network("mine"))
    cloud.subnets.append(make.subnet("mine", "10.0.0.0/24", "10.0.0.2", "10.0.0.254"))
    cloud.key_pairs.append(make.thing("laptop", public_key="", fingerprint=""))
    result = plan(cloud, network="mine", key_name="laptop", home_volume_size=0, floating_ip=False, attach_network="")
    assert steps(result) == [
        ("keep", "key pair", "laptop"), ("keep", "network", "mine"), ("make", "security group", "eo-nodes"),
        *(("make", "server", f"eo-{name}") for name in ("master001", "worker001", "worker002"))]


def test_an_address_that_the_user_gave_the_master(make, plan):
    cloud = make.whole()
    cloud.floating_ips[0].description = ""
    (step,) = [step for step in plan(cloud)["plan"] if step["kind"] == "floating ip"]
    assert (step["action"], step["name"]) == ("keep", "198.51.100.7") and "not made by the kit" in step["detail"]


def test_root_volumes_count(make, plan):
    result = plan(make.cloud(), root_volume_size=20)
    assert result["estimate"]["more"]["volume_gb"] == 160 and "root volume of 20 GB" in result["plan"][6]["detail"]


def test_no_plan_from_half_a_look(make, plan):
    result = plan(make.whole(unseen={"networks"}, networks=[]))
    assert result["plan"] == [] and result["faults"] == [] and len(result["resources"]["servers"]) == 3

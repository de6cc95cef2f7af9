"""The module cloud_plan, run by Ansible against a real OpenStack: it looks, tells, and touches nothing."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOUDS = ROOT / ".cache" / "rigs" / "openstack" / "state" / "clouds.yaml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me@home"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q me@work"


@pytest.fixture
def cluster():
    """The name of a cluster that nobody else has."""
    return f"plan-{secrets.token_hex(3)}"


@pytest.fixture
def look(play, cluster):
    """Run one task for each dictionary, with a wish that fits the rig; `check_mode` is the task's."""
    wish = {"cloud": "application", "cluster": cluster, "image": "Debian 12", "master_flavor": "eo1.small",
            "worker_flavor": "eo1.xsmall", "workers": 1, "external_network": "external", "public_key": KEY,
            "ssh_sources": ["192.0.2.7/32"], "attach_network": "eodata_00341_3", "timeout": 60}

    def results(*tasks):
        path = play.folder / "plan.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{
            "check_mode": task.pop("check_mode", False), "ignore_errors": True, "cloud_plan": {**wish, **task},
        } for task in tasks]}]))
        run = subprocess.Popen(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-e",
             f"ansible_python_interpreter={sys.executable}", str(path)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(CLOUDS), "ANSIBLE_CONFIG": str(play.config)})
        found = play.results(run)
        assert not any(result.get("failed") or result["changed"] for result in found), found
        return found
    return results


@pytest.fixture
def has_volumes(member):
    """Whether the rig has block storage."""
    return any(service["type"].startswith(("volume", "block-s"))
               for service in member.session.auth.get_access(member.session).service_catalog.catalog)


@pytest.fixture
def whole(member, cluster, has_volumes):
    """A cluster of one worker that bears the mark, as provisioning makes it."""
    mark, metadata = f"eocluster:{cluster}", {"eocluster_cluster": cluster}
    net, compute = member.network, member.compute
    external = net.find_network("external")
    made = SimpleNamespace(servers=[], volume=None)
    made.key = compute.create_keypair(name=f"{cluster}-key", public_key=KEY.replace("me@home", f"eocluster:{cluster}"))
    made.network = net.create_network(name=f"{cluster}-network", description=mark)
    made.subnet = net.create_subnet(name=f"{cluster}-network", description=mark, network_id=made.network.id,
                                    ip_version=4, cidr="192.168.92.0/24")
    made.router = net.create_router(name=f"{cluster}-router", description=mark,
                                    external_gateway_info={"network_id": external.id})
    net.add_interface_to_router(made.router, subnet_id=made.subnet.id)
    made.group = net.create_security_group(name=f"{cluster}-nodes", description=mark)
    rule = {"security_group_id": made.group.id, "direction": "ingress"}
    net.create_security_group_rule(**rule, protocol="tcp", port_range_min=22, port_range_max=22,
                                   remote_ip_prefix="192.0.2.7/32")
    net.create_security_group_rule(**rule, remote_group_id=made.group.id)
    for role, flavor in (("master", "eo1.small"), ("worker", "eo1.xsmall")):
        made.servers.append(compute.create_server(
            name=f"{cluster}-{role}001", metadata={**metadata, "eocluster_role": role}, key_name=made.key.name,
            image_id=member.image.find_image("Debian 12").id, flavor_id=compute.find_flavor(flavor).id,
            networks=[{"uuid": made.network.id}], security_groups=[{"name": made.group.id}]))
    made.servers = [compute.wait_for_server(server, interval=0.2) for server in made.servers]
    (port,) = net.ports(device_id=made.servers[0].id)
    made.address = net.create_ip(floating_network_id=external.id, description=mark, port_id=port.id)
    if has_volumes:
        made.volume = member.block_storage.create_volume(name=f"{cluster}-home", size=1, metadata=metadata)
        member.block_storage.wait_for_status(made.volume, interval=0.2)
        compute.create_volume_attachment(made.servers[0], volume_id=made.volume.id)
        made.volume = member.block_storage.wait_for_status(made.volume, "in-use", interval=0.2)
    yield made
    net.delete_ip(made.address)
    for server in made.servers:
        compute.delete_server(server)
    for server in made.servers:
        compute.wait_for_delete(server, interval=0.2)
    net.remove_interface_from_router(made.router, subnet_id=made.subnet.id)
    net.delete_router(made.router)
    net.delete_network(made.network)
    net.delete_security_group(made.group)
    compute.delete_keypair(made.key)
    if made.volume:
        member.block_storage.wait_for_status(made.volume, "available", interval=0.2)
        member.block_storage.delete_volume(made.volume)


def errors(result):
    return [fault["text"] for fault in result["faults"] if fault["severity"] == "ERROR"]


def warnings(result):
    return [fault["text"] for fault in result["faults"] if fault["severity"] == "WARNING"]


def done(result):
    return [(step["action"], step["kind"]) for step in result["plan"]]


def test_an_empty_project_shows_the_whole_and_stays_empty(look, member, cluster, has_volumes):
    volume = 10 if has_volumes else 0
    checked, real = look({"check_mode": True, "home_volume_size": volume}, {"home_volume_size": volume})
    assert checked["plan"] == real["plan"] and real["faults"] == []
    assert [step for step in done(real) if step[1] != "volume"] == [
        ("make", "key pair"), ("make", "network"), ("make", "subnet"), ("make", "router"), ("make", "security group"),
        ("make", "server"), ("make", "server"), ("make", "floating ip"), ("attach", "interface"),
        ("attach", "interface")]
    assert ("make", "volume") in done(real) or not has_volumes
    assert real["estimate"]["more"] == {"servers": 2, "cores": 3, "ram_gb": 3.0, "volume_gb": volume, "public_ips": 1}
    assert not any(real["resources"].values())
    assert member.network.find_network(f"{cluster}-network") is None
    assert not any(pair.name == f"{cluster}-key" for pair in member.compute.keypairs())


def test_a_cluster_that_is_there_is_kept(look, whole, cluster):
    size = {"home_volume_size": 1 if whole.volume else 0, "attach_network": ""}
    again, more, fewer, destroy = look(size, {**size, "workers": 3, "ssh_sources": ["192.0.2.8/32"]}, size,
                                       {"provision": False, "attach_network": ""})
    assert again["faults"] == [] and {step["action"] for step in again["plan"]} == {"keep"}
    assert again["estimate"]["now"] == {"servers": 2, "cores": 3, "ram_gb": 3.0, "public_ips": 1,
                                        "volume_gb": size["home_volume_size"]}
    assert again["estimate"]["more"]["servers"] == 0
    assert [(step["action"], step["name"]) for step in more["plan"] if step["action"] != "keep"] == [
        ("change", f"{cluster}-nodes"), ("make", f"{cluster}-worker002"), ("make", f"{cluster}-worker003")]
    assert fewer["plan"] == again["plan"] and destroy["resources"] == again["resources"]

    ours = again["resources"]
    assert [server["id"] for server in ours["servers"]] == [server.id for server in whole.servers]
    assert [server["role"] for server in ours["servers"]] == ["master", "worker"]
    assert set(ours["servers"][0]["addresses"]) == {whole.network.name}
    assert [address["server_id"] for address in ours["floating_ips"]] == [whole.servers[0].id]
    assert ours["routers"] == [{"id": whole.router.id, "name": whole.router.name, "subnet_ids": [whole.subnet.id]}]
    assert [one["id"] for kind in ("networks", "subnets", "security_groups") for one in ours[kind]] == [
        whole.network.id, whole.subnet.id, whole.group.id]
    assert [pair["name"] for pair in ours["key_pairs"]] == [whole.key.name]
    assert [volume["attachments"] for volume in ours["volumes"]] == ([[whole.servers[0].id]] if whole.volume else [])
    assert ours["servers"][0]["volumes"] == ([whole.volume.id] if whole.volume else [])


def test_more_workers_than_wanted_and_another_key(look, whole, member, cluster):
    extra = member.compute.create_server(
        name=f"{cluster}-worker002", metadata={"eocluster_cluster": cluster, "eocluster_role": "worker"},
        image_id=whole.servers[0].image.id, flavor_id=member.compute.find_flavor("eo1.small").id,
        networks=[{"uuid": whole.network.id}])
    whole.servers.append(member.compute.wait_for_server(extra, interval=0.2))
    (result,) = look({"public_key": OTHER_KEY})
    assert [step["name"] for step in result["plan"] if step["action"] == "surplus"] == [f"{cluster}-worker*"]
    assert len(errors(result)) == 1 and f"'{cluster}-key' is there with another key" in errors(result)[0]
    assert any(f"'{cluster}-worker002' has 'eo1.small'" in text for text in warnings(result))


def test_all_faults_at_once_with_candidates(look, member):
    (result,) = look({
        "image": "Debian 13", "master_flavor": "eo1.smal", "network_cidr": "10.111.0.0/24",
        "external_network": "extern", "availability_zone": "mars", "security_groups": ["no-such-group"],
        "ssh_sources": ["0.0.0.0/0", "home"],
        "public_key": "ssh-ed25519 AAAA", "root_volume_size": -1, "variables": {"image": "provision_image"}})
    by_variable = {fault["variable"]: fault["text"] for fault in result["faults"] if fault["severity"] == "ERROR"}
    assert set(by_variable) == {"provision_image", "master_flavor", "network_cidr", "external_network", "public_key",
                                "availability_zone", "security_groups", "ssh_sources", "root_volume_size"}
    assert f"Debian 12 ({member.image.find_image('Debian 12').id})" in by_variable["provision_image"]
    assert "There is: eo1.small (" in by_variable["master_flavor"]
    assert f"external ({member.network.find_network('external').id})" in by_variable["external_network"]
    assert "There is: nova" in by_variable["availability_zone"] and "default (" in by_variable["security_groups"]
    assert "overlaps 10.111.0.0/16" in by_variable["network_cidr"]
    assert len(warnings(result)) == 1 and "the whole world" in warnings(result)[0]


def test_quotas_for_what_is_missing(look):
    (result,) = look({"workers": 999, "worker_flavor": "eo1.medium", "network_cidr": "10.0.0.0/20"})
    told = " ".join(errors(result))
    for words in ("workers: The quota of servers is too small: 1000", "workers: The quota of ports is too small: 2002",
                  "worker_flavor: The quota of cores is too small: 3998", "the limit is 200.", "the limit is 409600."):
        assert words in told


def test_a_namesake_is_not_ours(look, member, make_network, cluster):
    network = make_network("192.168.92.0/24", name=f"{cluster}-network")
    group = member.network.create_security_group(name=f"{cluster}-nodes", description="eocluster:other")
    try:
        (result,) = look({})
        (by_name,) = look({"network": network.name, "floating_ip": False})
    finally:
        member.network.delete_security_group(group)
    assert len(errors(result)) == 2
    assert f"'{cluster}-network' is there ({network.id}) and lacks the kit's mark" in errors(result)[0]
    assert "bears the mark of cluster 'other'" in errors(result)[1]
    assert ("make", "network") in done(result)
    assert len(errors(by_name)) == 1 and done(by_name)[1] == ("keep", "network")


def test_a_group_that_is_open(look, member, cluster):
    group = member.network.create_security_group(name=f"{cluster}-open")
    member.network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp",
                                              port_range_min=8000, port_range_max=9000)
    try:
        (result,) = look({"security_groups": [group.name]})
    finally:
        member.network.delete_security_group(group)
    assert errors(result) == [] and "tcp ports 8000-9000 from 0.0.0.0/0" in warnings(result)[0]


def test_a_network_that_is_full(look, make_network):
    network = make_network("192.168.92.0/30")
    bare = make_network(None)
    full, no_subnet = look({"network": network.name, "workers": 5}, {"network": bare.name})
    assert "2 addresses left, and 6 more are needed" in errors(full)[0]
    assert "has no router of this project's to 'external'" in warnings(full)[0]
    assert "has no IPv4 subnet" in errors(no_subnet)[0]


def test_no_block_storage(look, has_volumes):
    (result,) = look({"home_volume_size": 10})
    assert [("no block storage service" in text) for text in errors(result)] == ([] if has_volumes else [True])


def test_adopted_servers(look, make_server, member, admin, eodata, cluster):
    attached, bare, broken = make_server(), make_server(), make_server()
    member.compute.create_server_interface(attached, net_id=member.network.find_network(eodata).id)
    admin.compute.reset_server_state(broken, "error")
    member.compute.set_server_metadata(bare, eocluster_cluster="other")
    (result,) = look({"provision": False, "image": "",
                      "servers": [attached.name, bare.id, broken.name, f"{bare.name}x"]})
    assert [(step["action"], step["name"]) for step in result["plan"]] == [
        ("keep", attached.name), ("attach", bare.name), ("attach", broken.name)]
    assert len(errors(result)) == 2 and len(warnings(result)) == 1
    assert f"There is: {bare.name} ({bare.id})" in errors(result)[0] and "is in ERROR" in errors(result)[1]
    assert "mark of the cluster 'other'" in warnings(result)[0]
    assert result["estimate"]["now"]["servers"] == 3


def test_a_reader_is_warned(look):
    (result,) = look({"cloud": "reader"})
    assert errors(result) == [] and len(result["plan"]) == 10
    assert "roles reader" in warnings(result)[0] and "Remedy: credentials with the role member" in warnings(result)[0]


def test_no_way_to_the_cloud_is_a_fault_too(look, member):
    auth = {"auth_url": member.config.config["auth"]["auth_url"], "username": "eouser", "password": "wrong",
            "project_name": "cloud_00341", "user_domain_id": "default", "project_domain_id": "default"}
    bad = {"timeout": 2, "ssh_sources": []}  # what is wrong without a cloud is told as well
    unknown, refused, silent, incomplete, application = look(
        {**bad, "cloud": "aplication", "variables": {"cloud": "cluster_cloud"}},
        {**bad, "cloud": {"auth": auth, "region_name": "RegionOne"}},
        {**bad, "cloud": {"auth": {**auth, "auth_url": "http://127.0.0.1:9/v3"}, "region_name": "RegionOne"}},
        {**bad, "cloud": {"auth": {}}},
        {**bad, "cloud": {"auth_type": "v3applicationcredential", "region_name": "RegionOne", "auth": {
            "auth_url": auth["auth_url"], "application_credential_id": "gone", "application_credential_secret": "x"}}})
    for result in (unknown, refused, silent, incomplete, application):
        assert len(errors(result)) == 2 and errors(result)[0].startswith("ssh_sources:")
        assert result["plan"] == [] and not any(result["resources"].values())
    assert "cluster_cloud: 'aplication' is in no clouds.yaml. There are: admin, application," in errors(unknown)[1]
    assert "refuses the credentials" in errors(refused)[1] and "wrong" not in errors(refused)[1]
    assert "does not answer" in errors(silent)[1]
    assert "auth_url" in errors(incomplete)[1]
    assert "an application credential may have expired" in errors(application)[1]


def test_versions_that_do_not_fit(look, tmp_path, monkeypatch):
    metadata = tmp_path / "packages" / "openstacksdk-4.15.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: openstacksdk\nVersion: 4.15.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    old, new = look({"collection_version": "2.5.0"}, {"collection_version": "2.6.0"})
    assert len(errors(old)) == 1 and "2.5.0 does not work with openstacksdk 4.15.0. Remedy:" in errors(old)[0]
    assert old["plan"] == [] and new["faults"] == []


def test_a_private_key_is_not_repeated(look):
    (result,) = look({"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nvery-secret\n-----END..."})
    assert "This is a private key" in errors(result)[0] and "very-secret" not in json.dumps(result)

"""What cloud_plan finds wrong when it compares a wish with a cloud."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


def test_nothing_is_wrong_before_and_after(make, told):
    assert told(make.cloud()) == {"ERROR": [], "WARNING": []}
    assert told(make.whole()) == {"ERROR": [], "WARNING": []}


def test_all_faults_at_once_in_the_users_words(make, plan):
    found = plan(make.cloud(), {"image": "provision_image", "workers": "cluster_workers"}, image="Debian", workers=0,
                 worker_flavor="larg", external_network="eodata", availability_zone="mars", key_name="mine",
                 security_groups=["web"], attach_network="eo", network_cidr="ten", ssh_sources=[])["faults"]
    assert {fault["variable"] for fault in found if fault["severity"] == "ERROR"} == {
        "provision_image", "cluster_workers", "worker_flavor", "external_network", "availability_zone", "key_name",
        "security_groups", "attach_network", "network_cidr", "ssh_sources"}
    assert all(fault["text"].startswith(f"{fault['variable']}: ") and "Remedy:" in fault["text"] for fault in found)


@pytest.mark.parametrize("wish, words", [
    ({"image": "Debian 11"}, "There is: Debian 12 (Debian 12-id)"),
    ({"image": ""}, "image: It is empty. Remedy: name an image, for example one of: Debian 12"),
    ({"worker_flavor": "larger"}, "worker_flavor: There is no flavor 'larger' that these credentials can see. There is:"
                                  " large (large-id), small"),
    ({"network": "eo-data"}, "There is no network 'eo-data'"),
    ({"availability_zone": "novo"}, "There is no availability zone 'novo'. There is: nova. Remedy"),
    ({"key_name": "mine"}, "There is no key pair of yours 'mine'. There is: nothing"),
    ({"security_groups": ["web"]}, "There is no security group 'web'"),
    ({"attach_network": "eodat"}, "There is: eodata (eodata-id), external"),
    ({"external_network": "extern"}, "There is: external (external-id)."),
    ({"external_network": "eodata"}, "'eodata' is no external network"),
    ({"external_network": ""}, "floating_ip is true: a floating IP comes from an external network. Remedy: give one of:"
                               " external (external-id)"),
    ({"attach_network": "external"}, "attach_network: 'external' is an external network"),
    ({"network": "external"}, "network: 'external' is an external network"),
    ({"network": "eodata", "floating_ip": False}, "'eodata' is also attach_network"),
    ({"network_cidr": "10.111.7.0/24"}, "'10.111.7.0/24' overlaps 10.111.0.0/16 of the EO data network 'eodata'"),
    ({"home_volume_size": -1}, "-1 GB cannot be")])
def test_unknown_and_unfit_names(make, told, wish, words):
    (text,) = told(make.cloud(), **wish)["ERROR"]
    assert words in text


def test_ambiguous_names(make, told):
    cloud = make.cloud()
    cloud.images.append(make.image("Debian 12", id="another"))
    (text,) = told(cloud)["ERROR"]
    assert "2 images are named 'Debian 12': Debian 12 (Debian 12-id), Debian 12 (another). Remedy: give the ID" in text


def test_no_way_out_is_a_warning(make, told):
    found = told(make.cloud(), external_network="", floating_ip=False)
    assert found["ERROR"] == [] and "gets no router" in found["WARNING"][0]


@pytest.mark.parametrize("image, flavor, wish, words", [
    ({"status": "queued"}, {}, {}, "image: 'Debian 12' is queued"),
    ({"min_disk": 20}, {}, {}, "worker_flavor: Image 'Debian 12' needs a disk of 20 GB, and 'large' has 16"),
    ({"min_disk": 20}, {}, {"root_volume_size": 10}, "root_volume_size: Image 'Debian 12' needs a disk of 20 GB"),
    ({"min_ram": 9000}, {}, {}, "worker_flavor: Image 'Debian 12' needs 9000 MB of memory, and 'large' has 8192"),
    ({}, {"disk": 0}, {}, "'large' has no disk of its own. Remedy: set root_volume_size"),
    ({}, {"is_disabled": True}, {}, "'large' is disabled")])
def test_image_and_flavor(make, told, image, flavor, wish, words):
    cloud = make.cloud(images=[make.image("Debian 12", **image)],
                       flavors=[make.flavor("small", 1, 10240, disk=99), make.flavor("large", 4, 8192, **flavor)])
    assert any(words in text for text in told(cloud, **wish)["ERROR"])


def test_a_flavor_without_disk_boots_from_a_volume(make, told):
    cloud = make.cloud(flavors=[make.flavor(name, 1, 1024, disk=0) for name in ("small", "large")])
    assert told(cloud, root_volume_size=20)["ERROR"] == []


def test_a_zone_that_is_closed(make, told):
    cloud = make.cloud(zones=[SimpleNamespace(name="nova", state={"available": False})])
    assert "takes no servers now" in told(cloud, availability_zone="nova")["ERROR"][0]


def test_no_block_storage(make, told):
    cloud = make.cloud(has_volumes=False, volume_limits=None)
    assert ["100 GB are wanted, and this cloud has no block storage" in text for text in told(cloud)["ERROR"]] == [True]
    assert told(cloud, home_volume_size=0)["ERROR"] == []


def test_key_pair_with_another_key(make, told):
    other = "ssh-rsa AAAA eocluster:eo"
    cloud = make.cloud(key_pairs=[SimpleNamespace(name="eo-key", public_key=other, fingerprint="aa:bb")])
    (text,) = told(cloud)["ERROR"]
    assert "'eo-key' is there with another key (aa:bb)" in text and "openstack keypair delete eo-key" in text
    assert told(cloud, key_name="eo-key")["ERROR"] == []


def test_a_key_pair_of_our_name_without_our_mark_is_not_ours(make, told, plan):
    theirs = SimpleNamespace(name="eo-key", public_key="ssh-rsa AAAA me@home", fingerprint="aa:bb")
    cloud = make.cloud(key_pairs=[theirs])
    (text,) = told(cloud)["ERROR"]
    assert "lacks the kit's mark" in text and "to 'eo-key'" in text
    assert plan(cloud)["resources"]["key_pairs"] == []


def test_a_private_key_is_never_repeated(make, plan):
    result = plan(make.cloud(), public_key="-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET")
    assert "This is a private key" in result["faults"][0]["text"] and "SECRET" not in repr(result)


def test_a_network_of_the_users(make, told):
    mine, subnet = make.network("mine"), make.subnet("mine", "10.0.0.0/24", "10.0.0.2", "10.0.0.3")
    cloud = make.cloud()
    cloud.networks.append(mine)
    assert "'mine' has no IPv4 subnet" in told(cloud, network="mine", floating_ip=False)["ERROR"][0]
    cloud.subnets.append(subnet)
    found = told(cloud, network="mine")
    assert found["ERROR"] == ["network: 'mine' has 2 addresses left, and 3 more are needed. Remedy: detach machines"
                              " that do not need it, another subnet in it, or fewer workers."]
    assert "has no router of this project's to 'external'" in found["WARNING"][0]
    router = make.thing("r", external_gateway_info={"network_id": "external-id"})
    cloud.routers.append(router)
    cloud.ports.append(make.port(router, "mine", "10.0.0.1"))  # outside of the pool: takes none of its addresses
    assert told(cloud, network="mine", workers=1) == {"ERROR": [], "WARNING": []}


def test_the_eo_network_is_full(make, told):
    cloud = make.cloud(subnets=[make.subnet("eodata", "10.111.0.0/29", "10.111.0.2", "10.111.0.4")])
    other = make.thing("other")
    cloud.ports.append(make.port(other, "eodata", "10.111.0.2"))
    assert "attach_network: 'eodata' has 2 addresses left, and 3 more" in told(cloud)["ERROR"][0]


def test_another_range_than_the_network_has(make, told):
    (text,) = told(make.whole(), network_cidr="10.0.0.0/24")["ERROR"]
    assert "is there with 192.168.92.0/24; it is not changed" in text


@pytest.mark.parametrize("limits, option, words", [
    ({"instances": 3}, "workers", "servers is too small: 3 more are needed, 2 are free, the limit is 3"),
    ({"total_cores": 9}, "worker_flavor", "cores is too small: 9 more are needed, 8 are free, the limit is 9"),
    ({"total_ram": 17408}, "worker_flavor", "MB of memory is too small: 17408 more are needed, 17407 are free"),
    ({"keypairs": 0}, "key_name", "key pairs is too small: 1 more are needed, 0 are free")])
def test_compute_quotas(make, told, limits, option, words):
    cloud = make.cloud()
    vars(cloud.compute_limits).update(limits)
    (text,) = told(cloud)["ERROR"]
    assert text.startswith(f"{option}: The quota of {words}")


@pytest.mark.parametrize("quota, most, words", [
    ("networks", 0, "network: The quota of networks is too small: 1 more are needed, 0"),
    ("routers", 0, "1 more"), ("subnets", 0, "1 more"), ("security_groups", 0, "1 more"),
    ("security_group_rules", 4, "5 more are needed, 4 are free"), ("floating_ips", 0, "floating_ip: The quota"),
    ("ports", 7, "workers: The quota of ports is too small: 8 more are needed, 7 are free")])
def test_network_quotas(make, told, quota, most, words):
    cloud = make.cloud()
    setattr(cloud.network_quota, quota, {"limit": most + 1, "used": 0, "reserved": 1})
    (text,) = told(cloud)["ERROR"]
    assert words in text


def test_volume_quotas(make, told):
    cloud = make.cloud()
    vars(cloud.volume_limits).update(max_total_volumes=4, max_total_volume_gigabytes=160)
    assert told(cloud)["ERROR"] == []
    found = told(cloud, root_volume_size=20)["ERROR"]
    assert [text.split(" Remedy")[0] for text in found] == [f"root_volume_size: The quota of {words}." for words in (
        "volumes is too small: 4 more are needed, 3 are free, the limit is 4",
        "GB of volumes is too small: 160 more are needed, 159 are free, the limit is 160")]


def test_quotas_are_for_what_is_missing_and_may_be_unlimited(make, told):
    cloud = make.whole()
    vars(cloud.compute_limits).update(instances=3, instances_used=3, total_cores=-1, total_ram=18000,
                                      total_ram_used=18000)
    cloud.network_quota.floating_ips = {"limit": 1, "used": 1, "reserved": 0}
    assert told(cloud)["ERROR"] == []
    assert "servers is too small: 1 more are needed, 0 are free" in told(cloud, workers=3)["ERROR"][0]


@pytest.mark.parametrize("kind, thing", [
    ("servers", lambda make: make.server("eo-worker002", cluster="")),
    ("networks", lambda make: make.network("eo-network")),
    ("routers", lambda make: make.thing("eo-router")),
    ("security_groups", lambda make: make.group("eo-nodes")),
    ("volumes", lambda make: make.volume("eo-home", 100, cluster=""))])
def test_namesakes_are_never_touched(make, plan, told, kind, thing):
    cloud = make.cloud(**{kind: [*getattr(make.cloud(), kind), thing(make)]})
    (text,) = told(cloud)["ERROR"]
    assert "lacks the kit's mark, so it is never touched. Remedy: another cluster" in text
    assert not any(step["action"] == "keep" for step in plan(cloud)["plan"])


def test_namesakes_of_another_cluster_and_of_another_project(make, told):
    cloud = make.cloud(servers=[make.server("eo-master001", cluster="other")],
                       security_groups=[make.group("eo-nodes", project_id="other")])
    (text,) = told(cloud)["ERROR"]
    assert "bears the mark of cluster 'other'" in text


def test_a_namesake_may_be_used_by_name(make, told):
    cloud = make.cloud()
    cloud.networks.append(make.network("eo-network"))
    cloud.subnets.append(make.subnet("eo-network", "10.0.0.0/24", "10.0.0.2", "10.0.0.254"))
    assert told(cloud, network="eo-network", floating_ip=False)["ERROR"] == []


def test_duplicates_of_ours(make, told):
    cloud = make.whole()
    cloud.servers.append(make.server("eo-worker001", id="twin"))
    cloud.floating_ips.append(make.address("198.51.100.8", description="eocluster:eo"))
    found = told(cloud, workers=3)
    assert "2 servers of this cluster are named 'eo-worker001': eo-worker001-id, twin" in found["ERROR"][0]
    assert "more than one floating IP: 198.51.100.7, 198.51.100.8" in found["WARNING"][0]


def test_servers_that_are_not_as_wished(make, told):
    cloud = make.whole()
    cloud.servers[0].status = "ERROR"
    cloud.servers[1].flavor.original_name = "tiny"
    cloud.servers[2].image.id = "old"
    cloud.servers[2].status = "SHUTOFF"
    found = told(cloud)
    assert "'eo-master001' (eo-master001-id) is in ERROR" in found["ERROR"][0]
    assert "worker_flavor: It is 'large', and 'eo-worker001' has 'tiny'" in found["WARNING"][0]
    assert "'eo-worker002' (eo-worker002-id) is SHUTOFF. Remedy: `openstack server start" in found["WARNING"][1]
    assert "'eo-worker002' was made from old" in found["WARNING"][2]


def test_a_server_that_never_ran_is_made_anew(make, told):
    cloud = make.whole()
    cloud.servers[1].status, cloud.servers[1].launched_at = "ERROR", None
    found = told(cloud)
    assert found["ERROR"] == [] and "is in ERROR and never ran. Remedy: none needed" in found["WARNING"][0]


def test_the_home_volume_is_not_as_wished(make, told):
    cloud = make.whole()
    cloud.volumes = [make.volume("eo-home", 50, make.thing("stranger"), status="error_extending")]
    found = told(cloud)
    assert "state error_extending" in found["ERROR"][0] and "plugged into stranger-id" in found["ERROR"][1]
    assert "100 GB are wanted, and volume 'eo-home' has 50" in found["WARNING"][0]


def test_rules_that_are_too_open(make, told):
    cloud = make.whole()
    web = make.group("web", make.rule(protocol="tcp", port_range_min=1, port_range_max=65535),
                     make.rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0"),
                     make.rule(protocol="icmp"), make.rule(protocol="udp", remote_ip_prefix="10.0.0.0/8"),
                     make.rule(remote_group_id="web-id"), make.rule(direction="egress"))
    extra = make.group("extra", make.rule(ethertype="IPv6", remote_ip_prefix="::/0"))
    cloud.security_groups += [web, extra]
    cloud.ports[3].security_group_ids = ["web-id"]
    found = told(cloud, security_groups=["extra"])
    assert found["ERROR"] == []
    assert [text.split(". Remedy")[0] for text in found["WARNING"]] == [
        f"security_groups: Security group {words}" for words in (
            "'web' (web-id) opens more than ssh to the world: tcp ports 1-65535 from 0.0.0.0/0",
            "'extra' (extra-id) opens more than ssh to the world: every protocol from ::/0")]


def test_adopted_servers(make, plan, told):
    servers = [make.server("frontend", cluster=""), make.server("compute", cluster="other"),
               make.server("broken", cluster="", status="ERROR")]
    cloud = make.cloud(servers=servers, ports=[make.port(servers[0], "eodata", "10.111.0.9")])
    wish = {"provision": False, "servers": ["frontend", "compute", "compute-id", "broken", "computes"], "image": "no"}
    found, planned = told(cloud, **wish), plan(cloud, **wish)
    assert "servers: 'broken' (broken-id) is in ERROR" in found["ERROR"][1]
    assert "There is no server 'computes'" in found["ERROR"][0]
    assert "There is: compute (compute-id)" in found["ERROR"][0]
    assert len(found["ERROR"]) == 2 and "bears the mark of the cluster 'other'" in found["WARNING"][0]
    assert [(step["action"], step["name"]) for step in planned["plan"]] == [
        ("keep", "frontend"), ("attach", "compute"), ("attach", "broken")]
    assert planned["estimate"]["now"]["servers"] == 3 and planned["estimate"]["more"]["servers"] == 0


def test_adopted_servers_and_what_they_are_on(make, told):
    server = make.server("frontend", cluster="")
    cloud = make.cloud(servers=[server], ports=[make.port(server, "lan", "10.111.0.9", security_group_ids=["all-id"])],
                       security_groups=[make.group("all", make.rule())])
    cloud.networks.append(make.network("lan"))
    cloud.subnets.append(make.subnet("lan", "10.0.0.0/8", "10.0.0.2", "10.0.0.254"))
    cloud.network_quota.ports = {"limit": 5, "used": 5, "reserved": 0}
    found = told(cloud, provision=False, servers=["frontend"])
    assert any("10.111.0.0/16 of 'eodata' overlaps 10.0.0.0/8 of 'lan'" in text for text in found["ERROR"])
    assert any("quota of ports" in text for text in found["ERROR"])
    assert "servers: Security group 'all' (all-id) opens more than ssh" in found["WARNING"][0]


def test_nothing_to_adopt(make, told):
    assert "No servers are named" in told(make.cloud(), provision=False)["ERROR"][0]
    assert told(make.cloud(), provision=False, attach_network="") == {"ERROR": [], "WARNING": []}

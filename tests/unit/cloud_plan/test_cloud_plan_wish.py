"""What cloud_plan says of a wish without looking at a cloud: names, addresses, keys, versions."""

from __future__ import annotations

import pytest
from ansible.module_utils.cloud_plan_addresses import check_cidr, check_sources, overlaps
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_keys import check_public_key, same_key
from ansible.module_utils.cloud_plan_names import check_names, worker_names
from ansible.module_utils.cloud_plan_versions import version_fault

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"


@pytest.mark.parametrize("collection, sdk, broken", [
    ("2.5.0", "4.15.0", True), ("2.5.0", "4.16", True), ("2.4.1", "5.0.0", True), ("2.5.0", "4.14.0", False),
    ("2.6.0", "4.15.0", False), ("2.10.0", "5.0", False), ("3.0.0-dev", "4.15.0", False), ("", "4.15.0", False),
    ("2.5.0", "", False), ("*", "4.15.0", False)])
def test_versions(collection, sdk, broken):
    text = version_fault(collection, sdk)
    assert (text is not None) is broken
    assert not broken or (collection in text and sdk in text and "Remedy: pip install" in text)


def test_faults_speak_the_users_language():
    faults = Faults({"image": "provision_image", "network": ""})
    faults.error("image", "wrong.")
    faults.error("image", "wrong.")
    faults.warning("network", "odd.")
    assert faults.found == [
        {"severity": "ERROR", "variable": "provision_image", "text": "provision_image: wrong."},
        {"severity": "WARNING", "variable": "network", "text": "network: odd."}]


@pytest.mark.parametrize("cluster, workers, severity, words", [
    ("eo", 1, None, ""), ("e" * 53, 999, None, ""), ("2eo-a", 5, None, ""),
    ("e" * 54, 1, "ERROR", "at most 53 characters"), ("my_cluster", 1, "ERROR", "letters, digits and hyphens"),
    ("eo-", 1, "ERROR", "letters, digits"), ("", 1, "ERROR", "letters, digits"), ("eo\n", 1, "ERROR", "letters"),
    ("EO", 1, "WARNING", "Remedy: 'eo'"), ("eo", 0, "ERROR", "from 1 to 999"), ("eo", 1000, "ERROR", "from 1 to 999")])
def test_names(faults, cluster, workers, severity, words):
    check_names(cluster, workers, faults)
    assert [fault["severity"] for fault in faults.found] == ([severity] if severity else [])
    assert all(words in fault["text"] for fault in faults.found)


@pytest.mark.parametrize("present, wanted, names", [
    ([], 2, ["eo-worker001", "eo-worker002"]), (["eo-worker002", "eo-worker005"], 4, ["eo-worker001", "eo-worker003"]),
    (["eo-worker001"], 1, []), (["eo-worker001", "eo-worker002"], 1, [])])
def test_new_workers_take_free_numbers(present, wanted, names):
    assert worker_names("eo", present, wanted) == names


@pytest.mark.parametrize("sources, good, severity, words", [
    (["192.0.2.7"], ["192.0.2.7/32"], None, ""),
    (["10.0.0.0/8", "2001:db8::/48"], ["10.0.0.0/8", "2001:db8::/48"], None, ""),
    (["192.0.2.7/24"], ["192.0.2.0/24"], None, ""), ([], [], "ERROR", "curl https://api.ipify.org"),
    (["home"], [], "ERROR", "'home' is no range"), (["0.0.0.0/0"], ["0.0.0.0/0"], "WARNING", "the whole world"),
    (["::/0"], ["::/0"], "WARNING", "the whole world"),
    (["64.0.0.0/7"], ["64.0.0.0/7"], "WARNING", "33554432 addresses")])
def test_ssh_sources(faults, sources, good, severity, words):
    assert check_sources(sources, faults) == good
    assert [fault["severity"] for fault in faults.found] == ([severity] if severity else [])
    assert all(words in fault["text"] and "Remedy:" in fault["text"] for fault in faults.found)


@pytest.mark.parametrize("cidr, servers, words", [
    ("192.168.92.0/24", 5, None), ("10.0.0.0/29", 3, None), ("10.0.0.0/29", 4, "a prefix of /28 or shorter"),
    ("10.0.0.0/24", 1000, "/22 or shorter"), ("10.0.0.7/24", 5, "host bits set"), ("fd00::/64", 5, "no range of IPv4"),
    ("ten", 5, "'ten' is no range"), ("8.8.8.0/24", 5, "is public")])
def test_network_cidr(faults, cidr, servers, words):
    check_cidr(cidr, servers, faults)
    assert len(faults.found) == (words is not None)
    assert all(words in fault["text"] for fault in faults.found)


def test_overlaps():
    assert overlaps(["10.0.0.0/8", "192.168.0.0/24", "fd00::/8"], ["10.111.0.0/16", "192.168.1.0/24"]) == [
        ("10.0.0.0/8", "10.111.0.0/16")]


@pytest.mark.parametrize("text, words", [
    (f"ssh-ed25519 {BLOB} me@home\n", None), (f"ssh-ed25519 {BLOB}", None), ("", "There is no public key"),
    (f"ssh-rsa {BLOB}", "no whole key of that kind"), (f"ssh-ed25519 {BLOB[:-5]}", "no whole key"),
    ("ssh-ed25519 AAAA", "no whole key"), ("ssh-ed25519", "and no key"), ("~/.ssh/id_ed25519.pub", "does not begin"),
    (f"ssh-ed25519 {BLOB}\nssh-ed25519 {BLOB}", "2 lines"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n", "private key"), ("PuTTY-User-Key-File-3: x\nSECRET", "private")])
def test_public_keys(faults, text, words):
    assert check_public_key(text, faults) is (words is None)
    assert len(faults.found) == (words is not None)
    assert all(words in fault["text"] and "SECRET" not in fault["text"] and ".pub" in fault["text"]
               for fault in faults.found)


def test_keys_are_the_same_whatever_their_comments():
    assert same_key(f"ssh-ed25519 {BLOB} a", f"ssh-ed25519 {BLOB} b\n")
    assert not same_key(f"ssh-ed25519 {BLOB}", "ssh-ed25519 AAAA")

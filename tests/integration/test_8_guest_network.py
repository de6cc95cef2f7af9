"""The EO data network inside the guest: after reboots, against thieves, on every stack, taken off and put back.

The lab's NICs come bare, as a cloud's do (roles/lab/files/image), so an address on eth1 is the role's doing.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from labkit import INVENTORY, LAB, MASTER, NODES_READY, WORKERS, Ran, nodes_seen, playbook, podman, remote, until

NODE = WORKERS[-1]  # the one that is maltreated
NETWORK = f"{LAB}-eodata"
FILE = "/etc/systemd/network/05-eodata.network"
BEHIND = "198.51.100.0/24"  # nobody's


@pytest.fixture(scope="module", autouse=True)
def rest(cluster) -> Iterator[None]:
    """The node is in Slurm again before other modules go on."""
    yield
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")


@pytest.fixture(autouse=True)
def attached() -> Iterator[None]:
    """Each test starts from a node that has the network, and leaves one."""
    yield
    if not well():
        attach()


def root(command: str, node: str = NODE) -> str:
    """What a command of root's on a node says."""
    return remote(node, command, user="root").ok().output


def wanted(node: str = NODE) -> str:
    """The address that the node is to have, with its network's size."""
    group = "slurm_master" if node == MASTER else "slurm_worker"
    children = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["children"]["lab"]["children"]
    return f"{children[group]['hosts'][node]['eodata_network_fixed_ip']}/24"


def gateway() -> str:
    """The host's address on the network."""
    return wanted().rpartition(".")[0] + ".1"


def addresses(node: str = NODE) -> dict[str, bool]:
    """The global IPv4 addresses of eth1, and whether each is from DHCP."""
    links = json.loads(root("ip -j address", node))
    return {f"{info['local']}/{info['prefixlen']}": bool(info.get("dynamic")) for link in links
            if link["ifname"] == "eth1" for info in link["addr_info"] if info["family"] == "inet"}


def routes(node: str = NODE) -> list[dict[str, Any]]:
    """The node's IPv4 routes."""
    seen: list[dict[str, Any]] = json.loads(root("ip -j -4 route", node))
    return seen


def defaults(node: str = NODE) -> list[str]:
    """The NICs over which there is a default route."""
    return [route["dev"] for route in routes(node) if route["dst"] == "default"]


def well(node: str = NODE) -> bool:
    """Whether the node has the network's address alone on eth1, for good, and one default route, over eth0."""
    return addresses(node) == {wanted(node): False} and defaults(node) == ["eth0"]


def attach(**variables: Any) -> int:
    """Attach the network to the node; the number of changes."""
    return playbook("attach_eodata", "--limit", NODE, **variables).ok().changed()[NODE]


def refused(**variables: Any) -> str:
    """What attaching says when it must fail, in one place."""
    ran: Ran = playbook("attach_eodata", "--limit", NODE, **variables)
    assert ran.code != 0
    assert ran.output.count("fatal: ") == 1, ran.tail()
    return ran.words()


def restart() -> None:
    """Reboot the node, and wait until its systemd is up."""
    podman("restart", "--time", "3", NODE).ok()
    until(lambda: remote(NODE, "systemctl is-system-running --wait", user="root").output.strip()
          in ("running", "degraded"), f"the boot of {NODE}")


def test_again_changes_nothing():
    assert attach() == 0
    assert well()


def test_dry_run_says_what_would_change():
    before = root(f"stat --format=%Y {FILE}; ip route")
    for name, variables in (("attach_eodata", {"eodata_network_routes": [{"to": BEHIND}]}), ("detach_eodata", {})):
        assert playbook(name, "--check", "--limit", NODE, **variables).ok().changed()[NODE] > 0
        assert root(f"stat --format=%Y {FILE}; ip route") == before


def test_nic_comes_bare():
    root(f"mv {FILE} {FILE}.away")
    try:
        restart()
        assert addresses() == {}
        assert " DOWN " in root("ip -brief link show dev eth1")
    finally:
        root(f"mv {FILE}.away {FILE} && networkctl reload")
    until(well, "the address")


def test_reboot_with_a_route_behind_the_network():
    assert attach(eodata_network_routes=[{"to": BEHIND}]) > 0
    for _ in range(2):
        over = [(route["gateway"], route["dev"]) for route in routes() if route["dst"] == BEHIND]
        assert over == [(gateway(), "eth1")]
        restart()
        until(well, "the address after the reboot")
    assert attach() > 0  # no longer asked for
    assert BEHIND not in [route["dst"] for route in routes()]
    assert well()


def test_what_was_lost_comes_back():
    root(f"ip address flush dev eth1; ip route add {BEHIND} via $(ip route show default | cut -d ' ' -f 3)")
    try:
        assert attach() > 0
        assert well()
        assert BEHIND in [route["dst"] for route in routes()]  # over the other NIC, so not ours
    finally:
        root(f"ip route del {BEHIND}")


def test_detached_and_attached_again():
    nodes = [MASTER, *WORKERS]
    before = root("cat /sys/class/net/eth1/address")
    changed = playbook("detach_eodata").ok().changed()
    assert all(changed[node] > 0 for node in nodes)
    for node in nodes:
        assert "eth1" not in root("ip -brief link", node)
        assert defaults(node) == ["eth0"]
        assert remote(node, f"test -e {FILE}").code != 0
    assert NETWORK not in podman("container", "inspect", NODE).ok().output
    again = playbook("detach_eodata").ok().changed()
    assert all(again[node] == 0 for node in nodes)

    changed = playbook("attach_eodata").ok().changed()
    assert all(changed[node] > 0 for node in nodes)
    assert all(well(node) for node in nodes)
    assert root("cat /sys/class/net/eth1/address") != before  # as on a cloud: another port


@pytest.fixture
def dhcp() -> Iterator[None]:
    """A DHCP server on the network, which hands out a default route."""
    folder = "/run/systemd/network/05-eodata.network.d"
    root(f"mkdir -p {folder} && printf '[Network]\\nDHCPServer=yes\\n[DHCPServer]\\nPoolOffset=200\\nPoolSize=20\\n"
         f"EmitRouter=yes\\nRouter={gateway()}\\n' > {folder}/dhcp.conf && networkctl reload", WORKERS[0])
    until(lambda: well(WORKERS[0]) and ":67 " in root("ss --udp --listening --numeric --no-header", WORKERS[0]),
          "the DHCP server")
    yield
    root(f"rm -r {folder} && networkctl reload", WORKERS[0])
    until(lambda: well(WORKERS[0]), "the end of the DHCP server")


@pytest.fixture
def catch_all() -> Iterator[str]:
    """Settings of networkd's that ask every NIC's network for an address, as images have them."""
    path = "/etc/systemd/network/90-all.network"
    root(f"printf '[Match]\\nName=eth*\\n[Network]\\nDHCP=ipv4\\n' > {path}")
    yield path
    root(f"rm {path} && networkctl reload")


def test_thief_of_the_default_route_is_corrected(dhcp, catch_all):
    playbook("detach_eodata", "--limit", NODE).ok()
    podman("network", "connect", "--ip", wanted().partition("/")[0], "--mac-address", "52:54:00:00:00:99", NETWORK,
           NODE).ok()
    root("bare-nics && networkctl reload && networkctl reconfigure eth1")
    until(lambda: sorted(defaults()) == ["eth0", "eth1"], "the thief")
    assert True in addresses().values()

    assert attach() > 0
    assert well()
    assert attach() == 0
    restart()
    until(well, "the address after the reboot")


class TestStacks:
    """The same tasks where something else configures NICs."""

    @pytest.fixture
    def apt(self) -> Iterator[Any]:
        """Installs packages, and removes them at the end."""
        installed: list[str] = []

        def install(*packages: str) -> None:
            installed.extend(packages)
            root("export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install --yes -qq"
                 f" --no-install-recommends {' '.join(packages)}")

        yield install
        root(f"apt-get purge --yes -qq {' '.join(installed)}")

    def test_netplan(self, apt):
        """With the catch-all of Debian's own images, which its generator writes anew at every boot."""
        apt("netplan.io")
        root("printf 'network: {version: 2, renderer: networkd, ethernets: {all-eth: {match: {name: \"eth*\"},"
             " dhcp4: true}}}' > /etc/netplan/90-default.yaml && chmod 600 /etc/netplan/90-default.yaml")
        try:
            playbook("detach_eodata", "--limit", NODE).ok()
            # It would wait for the first NIC, which is podman's.
            root("systemctl mask --quiet systemd-networkd-wait-online && netplan generate && networkctl reload")
            assert attach() > 0
            for _ in range(2):
                assert well()
                assert f"Network File: {FILE}" in root("networkctl status eth1")
                restart()
                assert root("ls /run/systemd/network") == "10-netplan-all-eth.network\n"
                until(well, "the address after the reboot")
            assert attach() == 0
        finally:
            root("systemctl unmask --quiet systemd-networkd-wait-online;"
                 " rm /etc/netplan/90-default.yaml /run/systemd/network/10-netplan-*; networkctl reload")

    def test_ifupdown(self, apt):
        """With what Debian's cloud images make of a NIC that is plugged in: a stanza in /run, and a default route."""
        playbook("detach_eodata", "--limit", NODE).ok()
        apt("ifupdown")
        root("systemctl mask --quiet --now systemd-networkd.socket systemd-networkd.service")
        try:
            root("sed -i '1i source-directory /run/network/interfaces.d' /etc/network/interfaces"
                 " && mkdir -p /run/network/interfaces.d"
                 f" && printf 'auto eth1\\niface eth1 inet static\\naddress {gateway()}99/24\\ngateway {gateway()}\\n'"
                 " > /run/network/interfaces.d/eth1")
            podman("network", "connect", "--ip", wanted().partition("/")[0], "--mac-address", "52:54:00:00:00:99",
                   NETWORK, NODE).ok()
            root("bare-nics && ifup eth1")
            assert sorted(defaults()) == ["eth0", "eth1"]
            assert attach() > 0
            assert well()
            assert attach() == 0
            restart()
            until(well, "the address after the reboot")
            assert root("ifquery --state eth1").strip() == "eth1=eth1"
            playbook("detach_eodata", "--limit", NODE).ok()
            assert root("ls /etc/network/interfaces.d") == ""
            assert defaults() == ["eth0"]
        finally:
            root("systemctl unmask --quiet systemd-networkd.socket systemd-networkd.service;"
                 " systemctl start systemd-networkd; rm -f /run/network/interfaces.d/eth1")

    def test_network_manager_is_refused(self):
        root("printf '[Service]\\nExecStart=sleep infinity\\n' > /run/systemd/system/NetworkManager.service; printf"
             " '#!/bin/sh\\necho \"100 (connected)\"\\n' > /usr/local/bin/nmcli; chmod +x /usr/local/bin/nmcli;"
             " systemctl daemon-reload; systemctl start NetworkManager")
        try:
            told = refused()
        finally:
            root("systemctl stop NetworkManager; rm /run/systemd/system/NetworkManager.service /usr/local/bin/nmcli;"
                 " systemctl daemon-reload")
        assert "NetworkManager configures eth1, and the kit knows" in told
        assert "Remedy: on the node write" in told

    def test_no_stack(self):
        root("systemctl stop --quiet systemd-networkd.socket systemd-networkd.service")
        try:
            assert "nothing that the kit knows configures NICs here" in refused()
        finally:
            root("systemctl start systemd-networkd")


def test_file_of_somebody_elses_stays():
    root(f"cp {FILE} /root/ours && echo '# mine' > {FILE}")
    try:
        assert f"{FILE} is not the kit's and stays as it is. Remedy:" in refused()
        assert root(f"cat {FILE}") == "# mine\n"
    finally:
        root(f"mv /root/ours {FILE} && networkctl reload")
    until(well, "the address")


def test_nic_that_does_not_appear():
    mac = root("cat /sys/class/net/eth1/address").strip()
    root("ip link set eth1 address 52:54:00:00:00:98")
    try:
        assert f"is attached ({mac}), but no such NIC appeared within half a minute. Remedy:" in refused()
    finally:
        root(f"ip link set eth1 address {mac}")


def test_malformed_routes():
    before = root(f"stat --format=%Y {FILE}; cat {FILE}; ip route")
    told = refused(eodata_network_routes=[{"to": "10.97.0.1/16"}, {"to": "0.0.0.0/0"}, {"to": BEHIND, "via": "there"}])
    assert "eodata_network_routes[0] is {'to': '10.97.0.1/16'}: to is no network. Remedy:" in told
    assert "eodata_network_routes[1] is {'to': '0.0.0.0/0'}: the EO data network takes no default route" in told
    assert "via is no IP address. Remedy:" in told
    assert root(f"stat --format=%Y {FILE}; cat {FILE}; ip route") == before


def test_route_over_a_router_elsewhere():
    told = refused(eodata_network_routes=[{"to": BEHIND, "via": "192.0.2.1"}])
    assert f"a route to {BEHIND} via 192.0.2.1, which is not on the network" in told


def test_backend_none_only_looks():
    assert attach(eodata_network_backend="none") == 0
    told = refused(eodata_network_backend="none", eodata_endpoint_url=f"http://{wanted().partition('/')[0]}:4")
    assert "reaches no S3 server" in told

"""What the EO data network's port means for a machine, what is not as it should be, and the files that are written."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TOP = Path(__file__).resolve().parents[3]
ROLE = TOP / "roles/eodata_network"
SPEC = importlib.util.spec_from_file_location("eodata_network", TOP / "plugins/filter/eodata_network.py")
assert SPEC and SPEC.loader
module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(module)

MAC = "fa:16:3e:00:00:01"
INTERFACE = {"server_id": "1", "mac_addr": MAC.upper(), "fixed_ips": [{"ip_address": "10.111.1.238", "subnet_id": "a"}]}
SUBNET = {"id": "a", "cidr": "10.111.0.0/16", "ip_version": 4, "gateway_ip": "10.111.0.1", "is_dhcp_enabled": False,
          "host_routes": [{"destination": "10.97.0.0/16", "nexthop": "10.111.0.2"},
                          {"destination": "0.0.0.0/0", "nexthop": "10.111.0.1"}], "dns_nameservers": ["10.111.0.3"]}
NETWORK = {"id": "n", "name": "eodata", "mtu": 1450, "subnets": [{**SUBNET, "id": "b", "cidr": "192.0.2.0/24"}, SUBNET]}
PORT = {"mac_address": MAC, "addresses": [{"ip_address": "10.111.1.238", "prefix": 16, "cidr": "10.111.0.0/16"}],
        "mtu": 1450, "gateways": ["10.111.0.1"], "host_routes": [{"to": "10.97.0.0/16", "via": "10.111.0.2"}]}
ROUTES = [{"to": "10.97.0.0/16", "via": "10.111.0.2"}, {"to": "198.51.100.0/24", "via": "10.111.0.1"}]


def seen(**changes):
    """What a node says of itself when all is well, in the words of `ip -j`, and then changed."""
    return {
        "addresses": [
            {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "mtu": 65536, "address": "00:00:00:00:00:00", "addr_info": [
                {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
            {"ifname": "ens3", "flags": ["UP"], "mtu": 1500, "address": "fa:16:3e:00:00:09", "addr_info": [
                {"family": "inet", "local": "192.168.0.5", "prefixlen": 24, "scope": "global", "dynamic": True}]},
            {"ifname": "ens7", "flags": ["BROADCAST", "UP"], "mtu": 1450, "address": MAC, "addr_info": [
                {"family": "inet", "local": "10.111.1.238", "prefixlen": 16, "scope": "global"},
                {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"}]}],
        "routes": [
            {"dst": "default", "gateway": "192.168.0.1", "dev": "ens3"},
            {"dst": "10.111.0.0/16", "dev": "ens7", "scope": "link"},
            {"dst": "10.97.0.0/16", "gateway": "10.111.0.2", "dev": "ens7"},
            {"dst": "198.51.100.0/24", "gateway": "10.111.0.1", "dev": "ens7"}],
        "routes6": [{"dst": "fe80::/64", "dev": "ens7"}],
        "store": [{"dst": "10.97.4.4", "gateway": "10.111.0.2", "dev": "ens7"}],
        "names": ["master001 192.168.0.5"], "slurm": ["SlurmctldHost=master001(192.168.0.5)", "NodeAddr=192.168.0.6"],
        "mpi": ["btl_tcp_if_include = 192.168.0.0/24", "oob_tcp_if_include = 192.168.0.0/24"], **changes}


def with_nic(**changes):
    """The same, with changes to the network's NIC."""
    everything = seen()
    everything["addresses"][2].update(changes)
    return everything


ADDRESS = seen()["addresses"][2]["addr_info"][0]


# --- the port ---------------------------------------------------------------------------------------------------------

def test_port():
    assert module.eodata_port(INTERFACE, NETWORK) == PORT


def test_port_whose_subnet_cannot_be_seen():
    with pytest.raises(AnsibleFilterError, match=r"10\.111\.1\.238 on the network eodata cannot be seen.*Remedy"):
        module.eodata_port(INTERFACE, {**NETWORK, "subnets": []})


# --- the routes -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wanted, via", [
    ([], {}),
    ([{"to": "198.51.100.0/24"}], {"198.51.100.0/24": "10.111.0.1"}),                      # the subnets' gateway
    ([{"to": "10.97.4.0/24"}], {"10.97.4.0/24": "10.111.0.2"}),                            # of the route that covers it
    ([{"to": "198.51.100.7", "via": "10.111.0.9"}], {"198.51.100.7/32": "10.111.0.9"}),    # as given
    ([{"to": "10.97.0.0/16", "via": "10.111.0.9"}], {"10.97.0.0/16": "10.111.0.9"}),       # in place of the subnets'
], ids=["none", "gateway", "covered", "given", "instead"])
def test_routes(wanted, via):
    routes = module.eodata_routes(PORT, wanted)
    assert {route["to"]: route["via"] for route in routes} == {"10.97.0.0/16": "10.111.0.2", **via}


@pytest.mark.parametrize("wanted, port, said", [
    ([{"to": "198.51.100.0/24"}], {**PORT, "gateways": []}, "without via, and the network's subnets name no gateway"),
    ([{"to": "2001:db8::/32"}], PORT, "2001:db8::/32 without via"),
    ([{"to": "198.51.100.0/24", "via": "192.168.0.1"}], PORT,
     r"via 192\.168\.0\.1, which is not on the network \(10\.111"),
])
def test_routes_that_the_network_does_not_allow(wanted, port, said):
    with pytest.raises(AnsibleFilterError, match=f"eodata_network_routes has a route .*{said}.*Remedy"):
        module.eodata_routes(port, wanted)


@pytest.mark.parametrize("wanted, said", [
    ("10.97.0.0/16", "must be a list"),
    (["10.97.0.0/16"], r"\[0\] is '10\.97\.0\.0/16': a route is a mapping"),
    ([{"via": "10.111.0.1"}], "a route is a mapping"),
    ([{"to": "10.97.0.0/16", "gateway": "10.111.0.1"}], "a route is a mapping"),
    ([{"to": "10.97.0.1/16"}], "to is no network"),
    ([{"to": None}], "to is no network"),
    ([{"to": "0.0.0.0/0"}], "takes no default route"),
    ([{"to": "::/0"}], "takes no default route"),
    ([{"to": "10.97.0.0/16", "via": "router"}], "via is no IP address"),
])
def test_faults_of_routes(wanted, said):
    (fault,) = module.eodata_route_faults(wanted)
    assert re.search(said, fault)
    assert fault.startswith("eodata_network_routes")
    assert "Remedy: " in fault


def test_all_faults_of_routes_are_told():
    assert len(module.eodata_route_faults([{"to": "x", "via": "y"}, {"to": "10.0.0.0/8"}, 7])) == 3


# --- what is not as it should be --------------------------------------------------------------------------------------

def test_no_deviations():
    assert module.eodata_deviations(seen(), PORT, ROUTES) == []
    assert module.eodata_nic(seen(), PORT) == "ens7"


DHCP_ROUTE = {"dst": "default", "gateway": "10.111.0.1", "dev": "ens7"}


@pytest.mark.parametrize("found, said", [
    (seen(addresses=[]), [f"no NIC has the port's MAC address {MAC}"]),
    (with_nic(flags=["BROADCAST"]), ["ens7 is down"]),
    (with_nic(mtu=1500), ["ens7 has an MTU of 1500, and the network's is 1450"]),
    (with_nic(addr_info=[]), ["ens7 lacks the address 10.111.1.238/16"]),
    (with_nic(addr_info=[{**ADDRESS, "prefixlen": 24}]),
     ["ens7 lacks the address 10.111.1.238/16", "ens7 has the address 10.111.1.238/24 besides"]),
    (with_nic(addr_info=[{**ADDRESS, "dynamic": True}]),
     ["ens7 has 10.111.1.238/16 from DHCP, which may take it away"]),
    (seen(routes=[*seen()["routes"], DHCP_ROUTE]), ["ens7 has a default route, via 10.111.0.1"]),
    (seen(routes6=[{"dst": "default", "dev": "ens7"}]), ["ens7 has a default route, via nobody"]),
    (seen(routes=seen()["routes"][:-1]), ["ens7 has no route to 198.51.100.0/24 via 10.111.0.1"]),
], ids=["no NIC", "down", "MTU", "no address", "prefix", "DHCP", "default", "default 6", "route"])
def test_deviations(found, said):
    assert module.eodata_deviations(found, PORT, ROUTES) == said


def test_route_to_one_address_is_recognised():
    there = seen(routes=[*seen()["routes"], {"dst": "198.51.100.7", "gateway": "10.111.0.1", "dev": "ens7"}])
    assert module.eodata_deviations(there, PORT, [*ROUTES, {"to": "198.51.100.7/32", "via": "10.111.0.1"}]) == []


def test_what_lies_upon_the_nic_is_not_taken_for_it():
    vlan = {"ifname": "ens7.5", "link": "ens7", "address": MAC, "flags": [], "mtu": 1450}
    assert module.eodata_nic(seen(addresses=[vlan, *seen()["addresses"]]), PORT) == "ens7"


# --- who takes it for the cluster's network ---------------------------------------------------------------------------

def test_no_strays():
    assert module.eodata_strays(seen(), PORT) == []


@pytest.mark.parametrize("found, said", [
    (seen(routes=[]), ["there are 0 default routes (over nothing)"]),
    (seen(routes=[*seen()["routes"], DHCP_ROUTE]), ["there are 2 default routes (over ens3, ens7)"]),
    (seen(store=[]), ["the store's name is not known to the resolver"]),
    (seen(store=[{"dst": "10.97.4.4", "dev": "ens3"}]), ["the store's address 10.97.4.4 is reached over ens3"]),
    (seen(store=[{"dst": "10.97.4.4"}]), ["the store's address 10.97.4.4 is reached over nothing"]),
    (seen(names=["worker001 10.111.1.1"]), ["the node's name worker001 stands for 10.111.1.1, on the EO data network"]),
    (seen(slurm=["NodeAddr=10.111.1.1"]), ["Slurm has NodeAddr=10.111.1.1, on the EO data network"]),
    (seen(slurm=["SlurmctldHost=m(10.111.1.1)"]), ["Slurm has SlurmctldHost=m(10.111.1.1), on the EO data network"]),
    (seen(slurm=["NodeAddr=worker001"]), []),
    (seen(mpi=["btl_tcp_if_include = 10.111.0.0/16"]),
     ["Open MPI has 'btl_tcp_if_include = 10.111.0.0/16', which is the EO data network"]),
    (seen(mpi=["oob_tcp_if_include=ens3,ens7"]),
     ["Open MPI has 'oob_tcp_if_include=ens3,ens7', which is the EO data network"]),
], ids=["no default", "two defaults", "name", "way", "no way", "names", "NodeAddr", "SlurmctldHost", "by name", "MPI",
        "NIC"])
def test_strays(found, said):
    assert module.eodata_strays(found, PORT) == said


# --- the files --------------------------------------------------------------------------------------------------------

def rendered(template, port=PORT, routes=ROUTES):
    """A template of the role, as Ansible renders it."""
    environment = Environment(loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, undefined=StrictUndefined,
                              keep_trailing_newline=True)
    mark = yaml.safe_load((ROLE / "vars/main.yml").read_text())["eodata_network__mark"]
    return environment.get_template(template).render(
        eodata_network__mark=mark, eodata_network__port_info=port, eodata_network__all_routes=routes,
        eodata_network__nic="ens7")


def settings(text):
    """The lines that say something."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


SIX = {"ip_address": "2001:db8::5", "prefix": 64, "cidr": "2001:db8::/64"}


def test_networkd():
    assert settings(rendered("networkd.j2")) == [
        "[Match]", f"MACAddress={MAC}", "[Link]", "RequiredForOnline=no", "MTUBytes=1450",
        "[Network]", "DHCP=no", "IPv6AcceptRA=no", "Address=10.111.1.238/16",
        "[Route]", "Destination=10.97.0.0/16", "Gateway=10.111.0.2",
        "[Route]", "Destination=198.51.100.0/24", "Gateway=10.111.0.1"]


def test_networkd_comes_before_what_others_write():
    name = Path(yaml.safe_load((ROLE / "vars/main.yml").read_text())["eodata_network__files"]["networkd"]).name
    assert name < min("10-netplan-00.network", "10-cloud-init-ens7.network", "99-default.network")


def test_ifupdown():
    assert settings(rendered("ifupdown.j2")) == [
        "auto ens7", "iface ens7 inet static", "address 10.111.1.238/16",
        f"pre-up grep -qix {MAC} /sys/class/net/$IFACE/address",
        "pre-up sysctl -qw net.ipv6.conf.$IFACE.accept_ra=0 || true", "mtu 1450",
        "up ip route replace 10.97.0.0/16 via 10.111.0.2 dev $IFACE",
        "up ip route replace 198.51.100.0/24 via 10.111.0.1 dev $IFACE"]


def test_ifupdown_with_an_address_of_each_version():
    text = settings(rendered("ifupdown.j2", {**PORT, "addresses": [*PORT["addresses"], SIX]}))
    assert [line for line in text if line.startswith("iface")] == ["iface ens7 inet static", "iface ens7 inet6 static"]
    assert text.index("iface ens7 inet6 static") < text.index("address 2001:db8::5/64") < text.index(
        "up ip route replace 10.97.0.0/16 via 10.111.0.2 dev $IFACE")


@pytest.mark.parametrize("template", ["networkd.j2", "ifupdown.j2"])
def test_without_an_mtu_the_nic_keeps_its_own(template):
    assert "mtu" not in " ".join(settings(rendered(template, {**PORT, "mtu": 0}))).lower()


@pytest.mark.parametrize("template", ["networkd.j2", "ifupdown.j2"])
def test_no_default_route_and_no_resolver(template):
    text = rendered(template).lower()
    assert not any(word in text for word in ("0.0.0.0/0", "gateway 1", "dns", "domains"))


@pytest.mark.parametrize("template", ["networkd.j2", "ifupdown.j2"])
def test_file_bears_the_mark(template):
    assert rendered(template).startswith("# Managed by eocluster")

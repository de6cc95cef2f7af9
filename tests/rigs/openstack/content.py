"""What the rig's cloud holds before a test begins. Runs in the rig's own environment, called by rig.py.

    content.py services TYPE=URL...  the services' user, services and endpoints: nova wants to find them when it starts
    content.py tenants               projects, users, quotas, flavors, an image, networks; prints the secrets as JSON
"""

from __future__ import annotations

import json
import secrets
import sys

import openstack
from openstack.connection import Connection

# Quotas are large enough for a benchmark of 50 servers and small enough that a runaway test meets them.
COMPUTE_QUOTA = {"instances": 70, "cores": 200, "ram": 400 * 1024}
NETWORK_QUOTA = {"networks": 20, "subnets": 20, "ports": 200, "routers": 5, "floating_ips": 5, "security_groups": 10}
VOLUME_QUOTA = {"volumes": 100, "gigabytes": 1000, "snapshots": 10}
FLAVORS = {"eo1.xsmall": (1, 1024, 8), "eo1.small": (2, 2048, 16), "eo1.medium": (4, 4096, 32)}  # cores, MB, GB
USERS = {"eouser": ("cloud_00341", "member"), "eoreader": ("cloud_00341", "reader"),
         "neighbour": ("cloud_00342", "member")}  # project and role


def make_services(admin: Connection, endpoints: list[str]) -> None:
    """The user that the services are among themselves, and one service and public endpoint for each TYPE=URL."""
    password = openstack.config.get_cloud_region(cloud="service").config["auth"]["password"]
    project = admin.identity.create_project(name="service", domain_id="default")
    user = admin.identity.create_user(name="service", password=password, domain_id="default")
    for role in ("admin", "service"):  # without `service`, neutron does not let nova take a port off a server
        admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role(role))
    for endpoint in endpoints:
        kind, url = endpoint.split("=", 1)
        service = admin.identity.create_service(type=kind, name=kind)
        admin.identity.create_endpoint(service_id=service.id, interface="public", region_id="RegionOne", url=url)


def make_tenants(admin: Connection) -> dict[str, str]:
    """Everything else; the passwords of the users and the application credential of eouser."""
    made = {}
    for name in ("cloud_00341", "cloud_00342"):
        project = admin.identity.create_project(name=name, domain_id="default")
        admin.set_compute_quotas(project.id, **COMPUTE_QUOTA)
        admin.network.update_quota(project.id, **NETWORK_QUOTA)
        admin.set_volume_quotas(project.id, **VOLUME_QUOTA)
    for name, (project_name, role) in USERS.items():
        made[f"{name}_password"] = secrets.token_hex(16)
        user = admin.identity.create_user(name=name, password=made[f"{name}_password"], domain_id="default")
        admin.identity.assign_project_role_to_user(
            admin.identity.find_project(project_name), user, admin.identity.find_role(role))
    # a credential can only be made by its user
    eouser = admin.connect_as(username="eouser", password=made["eouser_password"], project_name="cloud_00341",
                              user_domain_id="default", project_domain_id="default")
    credential = eouser.identity.create_application_credential(eouser.current_user_id, "eocluster")
    made.update(credential_id=credential.id, credential_secret=credential.secret)

    for name, (vcpus, ram, disk) in FLAVORS.items():
        admin.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    admin.create_image("Debian 12", disk_format="raw", container_format="bare", data=b"\0" * 1024, wait=True,
                       visibility="public")
    make_networks(admin)
    return made


def make_networks(admin: Connection) -> None:
    """The provider's networks: the way out, and the EO data network that all projects may use but none owns."""
    external = admin.network.create_network(
        name="external", is_router_external=True, provider_network_type="flat", provider_physical_network="external")
    admin.network.create_subnet(network_id=external.id, name="external", ip_version=4, cidr="198.51.100.0/24",
                                is_dhcp_enabled=False)
    eodata = admin.network.create_network(name="eodata_00341_3", is_shared=True)
    admin.network.create_subnet(network_id=eodata.id, name="eodata_00341_3", ip_version=4, cidr="10.111.0.0/16",
                                gateway_ip=None)


def main() -> None:
    """Run the command."""
    admin = openstack.connect(cloud="admin")
    if sys.argv[1] == "services":
        make_services(admin, sys.argv[2:])
    else:
        print(json.dumps(make_tenants(admin)))


if __name__ == "__main__":
    main()

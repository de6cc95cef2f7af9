#!/usr/bin/python
"""Looks once at an OpenStack project: what is wrong, what would be made, what is ours. Changes nothing."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ansible.module_utils.cloud_calls import CloudModule
from ansible.module_utils.cloud_errors import FAILURES, Problem
from ansible.module_utils.cloud_plan_all import check_wish, nothing_seen, plan_all
from ansible.module_utils.cloud_plan_connect import connection_fault
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_look import look
from ansible.module_utils.cloud_plan_versions import version_fault

DOCUMENTATION = r"""
module: cloud_plan
short_description: Find what is wrong with a cluster's settings in an OpenStack project, and what would be made
author: The eocluster project
description:
  - Looks at the project once, with every list asked for at the same time, and compares it with the wish.
  - Returns all faults at once, the plan in the order of doing, an estimate, and what bears the cluster's mark.
  - It changes nothing, in check mode or out of it, and does not fail because of faults; that is for the playbook to do,
    when RV(faults) has one of severity ERROR. Credentials that are refused are such a fault too.
options:
  cluster:
    description:
      - Name of the cluster. What is made is named after it and bears its mark - the metadata C(eocluster_cluster) of
        servers and volumes, the description C(eocluster:NAME) of everything else, the same as the public key's comment.
    type: str
    required: true
  provision:
    description:
      - Whether the kit makes the servers. If not, only O(servers) and O(attach_network) are looked at, and the options
        from O(image) to O(availability_zone) mean nothing.
    type: bool
    default: true
  image:
    description: Name or ID of the image to boot.
    type: str
    default: ''
  master_flavor:
    description: Name or ID of the master's flavor.
    type: str
    default: ''
  worker_flavor:
    description: Name or ID of the workers' flavor.
    type: str
    default: ''
  workers:
    description: How many workers are wanted, from 1 to 999.
    type: int
    default: 1
  network:
    description: Name or ID of an existing network for the servers. Empty means that one is made.
    type: str
    default: ''
  network_cidr:
    description: Range of IPv4 addresses of the network that is made.
    type: str
    default: 192.168.92.0/24
  external_network:
    description: Name or ID of the network that the router and the floating IP lead to. Empty means neither.
    type: str
    default: ''
  floating_ip:
    description: Whether the master gets a floating IP.
    type: bool
    default: true
  key_name:
    description: Name of an existing key pair. Empty means that one is made from O(public_key).
    type: str
    default: ''
  public_key:
    description: Text of the public key of the key pair that is made.
    type: str
    default: ''
  ssh_sources:
    description: Ranges of addresses from which ssh is to be open.
    type: list
    elements: str
    default: []
  security_groups:
    description: Names or IDs of existing security groups that all servers get too.
    type: list
    elements: str
    default: []
  home_volume_size:
    description: Size in GB of the volume for C(/home). 0 means none.
    type: int
    default: 0
  root_volume_size:
    description: Size in GB of a volume that each server boots from. 0 means the flavor's own disk.
    type: int
    default: 0
  availability_zone:
    description: Zone of the servers. Empty means that the cloud chooses.
    type: str
    default: ''
  attach_network:
    description: Name or ID of the EO data network, which all servers are to be attached to. Empty means none.
    type: str
    default: ''
  servers:
    description: Names or IDs of the servers to attach, where O(provision=false).
    type: list
    elements: str
    default: []
  variables:
    description: What the user calls an option, by the option's name, for the texts of the faults.
    type: dict
    default: {}
  collection_version:
    description: Version of the collection openstack.cloud, to be compared with openstacksdk's. Empty means no check.
    type: str
    default: ''
notes:
  - Another project's ports are not seen, so that a shared network may have fewer addresses left than it seems.
  - Of other quotas than these nothing is said - instances, cores, memory, key pairs, volumes and their GB, networks,
    subnets, routers, ports, security groups and their rules, floating IPs.
extends_documentation_fragment:
  - openstack.cloud.openstack
"""

EXAMPLES = r"""
- name: Look at the cloud
  cloud_plan:
    cloud: mycloud
    cluster: mycluster
    image: Debian 12
    master_flavor: eo1.medium
    worker_flavor: eo1.large
    workers: 4
    external_network: external
    ssh_sources: [192.0.2.7/32]
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    home_volume_size: 100
    attach_network: eodata_00341_3
    variables:
      image: provision_image
      workers: cluster_workers
  register: look

- name: Refuse what cannot work
  ansible.builtin.assert:
    that: look.faults | selectattr('severity', 'eq', 'ERROR') | length == 0
    fail_msg: "{{ look.faults | map(attribute='text') | join('\n') }}"

- name: See whether servers that exist can be attached
  cloud_plan:
    cloud: mycloud
    cluster: mycluster
    provision: false
    servers: [frontend001, compute001, compute002]
    attach_network: eodata_00341_3
"""

RETURN = r"""
faults:
  description: Everything that is wrong or worth knowing. Empty where nothing is.
  returned: always
  type: list
  elements: dict
  contains:
    severity: {description: 'ERROR where nothing can be made before it is put right, else WARNING.', type: str}
    variable: {description: The variable, as the user knows it., type: str, sample: provision_image}
    text: {description: 'The variable, what is wrong with its value, and the remedy.', type: str}
plan:
  description: What is to be done, in this order. Empty where the cloud could not be seen.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: >-
        make, keep, change, attach; surplus for servers that are more than wanted and stay until they are scaled down.
      type: str
    kind:
      description: key pair, network, subnet, router, security group, volume, server, floating ip or interface.
      type: str
    name:
      description: Name of the thing; of the server for an interface; the address of a floating IP that is there.
      type: str
    detail: {description: More in words., type: str, sample: 'eo1.small, Debian 12'}
    line: {description: All of it as one line to read., type: str}
estimate:
  description: Sizes, as C(servers), C(cores), C(ram_gb), C(volume_gb) and C(public_ips).
  returned: always
  type: dict
  contains:
    now: {description: What there is of this cluster., type: dict}
    wanted: {description: What the wish comes to., type: dict}
    more: {description: What is made for it., type: dict}
  sample:
    now: {servers: 0, cores: 0, ram_gb: 0.0, volume_gb: 0, public_ips: 0}
    wanted: {servers: 5, cores: 10, ram_gb: 10.0, volume_gb: 100, public_ips: 1}
    more: {servers: 5, cores: 10, ram_gb: 10.0, volume_gb: 100, public_ips: 1}
resources:
  description: >-
    Everything that bears the cluster's mark, each kind sorted by name. Not complete where RV(faults) has an ERROR that
    something could not be looked at.
  returned: always
  type: dict
  contains:
    servers:
      description: >-
        With C(id), C(name), C(role), C(status), C(created), C(addresses) by network's name, and the IDs of their
        C(volumes).
      type: list
    volumes:
      description: With C(id), C(name), C(size) in GB, C(status), C(created), and the IDs of servers as C(attachments).
      type: list
    floating_ips: {description: 'With C(id), C(address) (also as C(name)), C(port_id), C(server_id).', type: list}
    networks: {description: With C(id) and C(name)., type: list}
    subnets: {description: 'With C(id), C(name), C(cidr), C(network_id).', type: list}
    routers: {description: 'With C(id), C(name), and the C(subnet_ids) that it has interfaces on.', type: list}
    security_groups: {description: With C(id) and C(name)., type: list}
    key_pairs: {description: With C(name) and C(fingerprint)., type: list}
"""

TEXT = {"type": "str", "default": ""}
TEXTS = {"type": "list", "elements": "str", "default": []}
SIZE = {"type": "int", "default": 0}


class CloudPlanModule(CloudModule):
    """See DOCUMENTATION."""

    argument_spec = {
        "cluster": {"type": "str", "required": True},
        "provision": {"type": "bool", "default": True},
        **{name: dict(TEXT) for name in ("image", "master_flavor", "worker_flavor", "network", "external_network",
                                         "key_name", "availability_zone", "attach_network", "collection_version")},
        "workers": {"type": "int", "default": 1},
        "network_cidr": {"type": "str", "default": "192.168.92.0/24"},
        "floating_ip": {"type": "bool", "default": True},
        "public_key": {**TEXT, "no_log": True},  # somebody may give a private one
        **{name: dict(TEXTS) for name in ("ssh_sources", "security_groups", "servers")},
        "home_volume_size": dict(SIZE),
        "root_volume_size": dict(SIZE),
        "variables": {"type": "dict", "default": {}},
    }
    module_kwargs = {"supports_check_mode": True}
    fail_json: Any  # OpenStackModule's, of AnsibleModule

    def openstack_cloud_from_module(self) -> tuple[Any, Any]:
        """The connection; where there is none, why not, since that is a fault among others."""
        self.no_connection: Exception | None = None
        self.cloud_name = self.params["cloud"]
        fail = self.fail_json

        def refuse(msg: str, **_: Any) -> None:
            raise Problem(msg)

        self.fail_json = refuse
        try:
            found: tuple[Any, Any] = super().openstack_cloud_from_module()
        except Exception as error:  # an unreadable clouds.yaml raises many kinds
            self.no_connection = error
            return sys.modules.get("openstack"), None
        finally:
            self.fail_json = fail
        return found

    def work(self) -> dict[str, Any]:
        """Look, compare, tell."""
        faults = Faults(self.params["variables"])
        wish = check_wish(self.params, faults)
        result = nothing_seen()
        if not self._versions_differ(faults):
            try:
                if self.no_connection:
                    raise self.no_connection
                cloud = look(self.conn, self.repeat, faults)
            except FAILURES as error:
                connection_fault(error, self.cloud_name, faults)
            else:
                result = plan_all(cloud, wish, faults)
        return {"changed": False, "faults": faults.found, **result}

    def _versions_differ(self, faults: Faults) -> bool:
        """Whether openstack.cloud and openstacksdk do not fit each other, which would break what follows."""
        broken = isinstance(self.no_connection, AttributeError)  # that is how it shows
        collection = self.params["collection_version"] or ("2.5.0 or older" if broken else "")
        try:
            text = version_fault(collection, version("openstacksdk"))
        except PackageNotFoundError:
            text = None  # the connection says it
        if text:
            faults.error("cloud", text)
        return bool(text)


def main() -> None:
    """Run the module."""
    CloudPlanModule()()


if __name__ == "__main__":
    main()

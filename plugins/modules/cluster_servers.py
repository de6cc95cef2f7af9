#!/usr/bin/python
"""Boots many servers at the same time, each exactly once; openstack.cloud.server boots one a task, and may boot two."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast

from ansible.module_utils.cloud_calls import CloudModule
from ansible.module_utils.cloud_errors import NOT_FOUND
from ansible.module_utils.cloud_servers import (
    BOOT_REMEDIES,
    Wanted,
    bears,
    broken_or_surplus,
    building,
    check_fit,
    describe,
    differences,
    failure_of,
    faults_of_options,
    is_going,
    kept_first,
    never_ran,
    refuse,
    request_for,
    several,
    texts,
)

DOCUMENTATION = r"""
module: cluster_servers
short_description: Boot a cluster's OpenStack servers at the same time, each exactly once, or delete them
author: The eocluster project
description:
  - Sees to it that there is one running server of each name, or none.
  - Names of images, flavors, networks, keys and groups are looked up first, and all that is wrong with any of the
    servers is told at once, before one is made.
  - OpenStack takes the same name twice without a word. This module looks again after it has made servers. Where two
    runs made the same server, or a killed run's request arrived late, the oldest stays and the others are deleted.
  - A server that is still being built, by whichever run, is waited for. One that failed before it ever ran is deleted
    and made anew, once. One that ran and is in ERROR now is left alone, and is a failure.
  - A server that is there is kept as it is. Where its flavor or image is another, RV(servers) says so.
  - Nothing is done to servers that do not bear O(mark). It is set in the very request that makes a server.
options:
  servers:
    description: The servers. For O(state=absent) only their names, or IDs, matter.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: "Name of the server; for O(state=absent) it may be its ID.", type: str, required: true}
      image: {description: Name or ID of the image. Needed to make it., type: str}
      flavor: {description: Name or ID of the flavor. Needed to make it., type: str}
      networks:
        description: Names or IDs of the networks, in the order of the server's interfaces. Needed to make it.
        type: list
        elements: str
        aliases: [network]
      security_groups:
        description: Names or IDs of its security groups. Without them it gets the project's default group.
        type: list
        elements: str
      key_name: {description: Name of the key pair that may log in., type: str}
      metadata: {description: "Metadata beside O(mark).", type: dict}
      user_data: {description: "What cloud-init is given, as text.", type: str}
      availability_zone: {description: Where it is to run., type: str}
      root_volume_gb:
        description: Boot from a new volume of this many GB, which is deleted with the server. 0 is the flavor's disk.
        type: int
        default: 0
  mark:
    description:
      - Metadata that says that a server is this cluster's.
      - A server of a wanted name without it is not ours, and an error. O(state=absent) leaves it as it is.
    type: dict
    required: true
  state:
    description: Whether the servers are to be there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - O(wait) waits until the new servers are ACTIVE, or the deleted ones are gone. That the machine inside is up, and
    answers, is for the caller to see.
  - O(timeout) bounds the whole task, in seconds. What passes by itself (HTTP 429, 500, 502, 503, 504, a broken
    connection) is tried again within it.
  - A failure names each server that failed and why. The other servers have been made, and RV(servers) of the failed
    result holds them.
extends_documentation_fragment:
  - openstack.cloud.openstack
"""

EXAMPLES = r"""
- name: Boot a master and two workers
  cluster_servers:
    cloud: mycloud
    mark: {eocluster_cluster: demo}
    servers:
      - name: demo-master001
        image: Debian 12
        flavor: eo1.small
        networks: [demo-network]
        security_groups: [demo-nodes]
        key_name: demo-key
        metadata: {eocluster_role: master}
        root_volume_gb: 40
      - &worker
        name: demo-worker001
        image: Debian 12
        flavor: eo1.medium
        networks: [demo-network]
        security_groups: [demo-nodes]
        key_name: demo-key
        metadata: {eocluster_role: worker}
      - <<: *worker
        name: demo-worker002
    timeout: 600
  register: booted

- name: Show the workers' addresses
  ansible.builtin.debug:
    msg: "{{ booted.servers | selectattr('metadata.eocluster_role', '==', 'worker') | map(attribute='addresses') }}"

- name: Delete a worker
  cluster_servers:
    cloud: mycloud
    mark: {eocluster_cluster: demo}
    servers: [{name: demo-worker002}]
    state: absent
"""

RETURN = r"""
servers:
  description: The servers that are there, in the order of O(servers). In check mode those of now.
  returned: always, unless nothing could be looked at
  type: list
  elements: dict
  contains:
    id: {description: ID of the server., type: str}
    name: {description: Name of the server., type: str}
    status: {description: Nova's word for its state., type: str, sample: ACTIVE}
    metadata: {description: "All its metadata, O(mark) included.", type: dict}
    created: {description: When it was made., type: str, sample: "2026-11-22T19:00:57Z"}
    addresses:
      description: Its addresses.
      type: list
      elements: dict
      contains:
        network: {description: Name of the network., type: str}
        address: {description: The address., type: str}
        mac: {description: MAC address of the interface., type: str}
        type: {description: "V(fixed) or V(floating).", type: str}
    differences:
      description: In what it is not as O(servers) wants it.
      type: dict
      sample: {flavor: {is: eo1.small, wanted: eo1.medium}}
made:
  description: Names of the servers that this run made and that are there.
  returned: always, unless nothing could be looked at
  type: list
  elements: str
deleted:
  description: Names of the servers that this run deleted, unless it had made them itself.
  returned: always, unless nothing could be looked at
  type: list
  elements: str
failures:
  description: One message a server that failed, by its name.
  returned: when servers failed
  type: dict
"""

OPTIONS: dict[str, Any] = {
    "name": {"required": True}, "image": {}, "flavor": {},
    "networks": {"type": "list", "elements": "str", "aliases": ["network"]},
    "security_groups": {"type": "list", "elements": "str"}, "key_name": {"no_log": False}, "metadata": {"type": "dict"},
    "user_data": {"no_log": True},  # people put secrets there
    "availability_zone": {}, "root_volume_gb": {"type": "int", "default": 0}}
POLL = 2.0    # seconds, at most, between two looks at servers that are being built or deleted: one request for all
ATTEMPTS = 2  # to make one server
LOOKS_FOR_A_REASON = 4

Seen = dict[str, list[Any]]  # by name: servers of ours that nobody deletes, the one that stays first


class ClusterServersModule(CloudModule):
    """See DOCUMENTATION."""

    argument_spec = {
        "servers": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
        "mark": {"type": "dict", "required": True},
        "state": {"choices": ["present", "absent"], "default": "present"},
    }
    module_kwargs = {"supports_check_mode": True}
    remedies = BOOT_REMEDIES

    def work(self) -> dict[str, Any]:
        """Find, look, act until nothing is left to do."""
        self.mark = texts(self.params["mark"])
        self.options = [{**server, "metadata": texts(server["metadata"])} for server in self.params["servers"]]
        self.names = [server["name"] for server in self.options]
        self.made: dict[str, str] = {}     # name by ID, of the servers that this run made
        self.deleted: dict[str, str] = {}  # and of those that it deleted
        self.going = False                 # whether one of these is still listed
        return self._absent() if self.params["state"] == "absent" else self._present()

    def subject(self) -> str:
        """The servers."""
        return ", ".join(self.names)

    # Servers that are to be there

    def _present(self) -> dict[str, Any]:
        before = self._find()
        if self.check_mode:
            return self._plan(before)
        after = self._settle(before)
        self._judge(after)
        return self._result(self._described(before), self._described(after))

    def _find(self) -> Seen:
        """Turn names into resources, and refuse what cannot be made before anything is; the servers that are there."""
        compute, network = self.conn.compute, self.conn.network
        listers: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {  # by kind: option, lister, its query
            "image": ("image", self.conn.image.images, {}), "flavor": ("flavor", compute.flavors, {}),
            "key pair": ("key_name", compute.keypairs, {}), "network": ("networks", network.networks, {}),
            # an administrator sees a `default` of every project; ours is meant
            "security group": ("security_groups", network.security_groups,
                               {"project_id": self.conn.current_project_id})}
        questions = {(kind, name): partial(self.find, kind, name, lister, **query)
                     for kind, (option, lister, query) in listers.items()
                     for server in self.options for name in several(server[option])}
        before, _, _, *found = self.together(self._look_first, self._check_options, self._check_zones,
                                             *questions.values())
        self.resources = dict(zip(questions, found, strict=True))
        self.together(*(partial(check_fit, server, self.resources) for server in self.options))
        self.wanted = [Wanted(server["name"], server, request_for(server, self.mark, self.resources))
                       for server in self.options]
        return cast(Seen, before)

    def _check_options(self) -> None:
        refuse(faults_of_options(self.options, self.mark, self.params["state"]))

    def _check_zones(self) -> None:
        wanted = {server["availability_zone"] for server in self.options if server["availability_zone"]}
        known = [zone.name for zone in self.list_all(self.conn.compute.availability_zones)] if wanted else []
        refuse(f"servers: there is no availability_zone '{zone}'. There is: {', '.join(known)}. Remedy: give one of"
               " these, or leave it out."
               for zone in sorted(wanted) if zone.partition(":")[0] not in known)  # an administrator's may have a host

    def _look_first(self) -> Seen:
        """A server of a wanted name that is not ours would be taken for ours by people, if not by us."""
        everything = self.list_all(self.conn.compute.servers)
        refuse(f"A server is named '{server.name}' ({server.id}) that does not bear the mark {self.mark}, so it is not"
               " this cluster's. Remedy: other names in servers, or rename or delete that one."
               for server in everything
               if server.name in self.names and not bears(server, self.mark) and not is_going(server))
        return self._ours(everything)

    def _look(self) -> Seen:
        everything = self.list_all(self.conn.compute.servers)
        self.going = any(server.id in self.deleted for server in everything)
        return self._ours(everything)

    def _ours(self, everything: list[Any]) -> Seen:
        ours = [server for server in everything
                if bears(server, self.mark) and not is_going(server) and server.id not in self.deleted]
        return {name: kept_first(server for server in ours if server.name == name) for name in self.names}

    def _settle(self, seen: Seen) -> Seen:
        """Make, look again and delete what is too many, until each name has one server that is built, or has failed."""
        left = {name: ATTEMPTS - bool(broken_or_surplus(servers[:1])) for name, servers in seen.items()}
        for _ in self.pauses(POLL):
            doomed = [server for name, servers in seen.items() if name not in self.failures
                      for server in broken_or_surplus(servers) if left[name] or server is not servers[0]]
            self._delete(doomed)
            missing = [one for one in self.wanted if left[one.name] and one.name not in self.failures
                       and all(server.id in self.deleted for server in seen[one.name])]
            for one in missing:
                left[one.name] -= 1
            for _, server in self.in_parallel(self._create, missing):
                self.made[server.id] = server.name
            unfinished = self.params["wait"] and (self.going or building(seen))
            if not (doomed or missing or unfinished):
                break
            seen = self._look()
        return seen

    def _create(self, wanted: Wanted) -> Any:
        """Make one server; Nova's answer holds little more than its ID."""
        def made_already() -> Any:
            # a request that failed for us may have succeeded for Nova; a repeat would make a second one
            servers = self._ours(list(self.conn.compute.servers()))[wanted.name]
            return servers[0] if servers and not never_ran(servers[0]) else None

        return self.repeat(lambda: self.conn.compute.create_server(**wanted.request), made_already)

    def _judge(self, seen: Seen) -> None:
        """Tell what is not as it should be at the end."""
        failed = [servers[0] for servers in seen.values() if servers and servers[0].status == "ERROR"]
        for _, server in self.in_parallel(self._with_fault, failed):
            self.failures.setdefault(server.name, failure_of(server))
        for name in [name for name, servers in seen.items() if not servers]:
            self.failures.setdefault(name, "It is not there: somebody deleted it meanwhile, or the timeout of"
                                     f" {self.params['timeout']} s was too short. Remedy: run this again.")
        for server in building(seen) if self.params["wait"] else []:
            self.failures.setdefault(server.name, f"It is still being built after {self.params['timeout']} s. Remedy:"
                                     " run this again, which waits for it, or raise timeout; see `openstack server show"
                                     f" {server.id}`.")

    def _with_fault(self, server: Any) -> Any:
        """Nova writes the state first, and a moment later the reason."""
        for _ in islice(self.pauses(), LOOKS_FOR_A_REASON):
            server = self.repeat(partial(self.conn.compute.get_server, server.id))
            if server.fault:
                break
        return server

    # Servers that are to be gone

    def _absent(self) -> dict[str, Any]:
        everything, _ = self.together(lambda: self.list_all(self.conn.compute.servers), self._check_options)
        named = [server for server in everything if {server.name, server.id} & set(self.names)]
        ours = [server for server in named if bears(server, self.mark)]
        for server in named:
            if server not in ours:
                self.warn(f"{server.name} ({server.id}) does not bear the mark {self.mark}, so it is not this cluster's"
                          " and is left as it is.")
        before, doomed = list(map(describe, ours)), [server for server in ours if not is_going(server)]
        if self.check_mode:
            return self._result(before, before, [], deleted=[server.name for server in doomed])
        self._delete(doomed)
        if self.params["wait"] and ours:
            self._wait_until_gone({server.id for server in ours})
        return self._result(before, [describe(server) for server in ours if server.name in self.failures])

    def _wait_until_gone(self, ids: set[str]) -> None:
        for _ in self.pauses(POLL):
            there = [server for server in self.list_all(self.conn.compute.servers)
                     if server.id in ids and server.name not in self.failures]
            if not there:
                return
        for server in there:
            self.failures[server.name] = (
                f"Nova accepted to delete it, but it is still there after {self.params['timeout']} s. Remedy: run this"
                f" again, or raise timeout; if it stays, give the provider its ID {server.id}.")

    def _delete(self, servers: list[Any]) -> None:
        """Delete servers. That one is gone already is as good."""
        def delete(server: Any) -> None:
            with suppress(*NOT_FOUND):
                self.repeat(partial(self.conn.compute.delete_server, server.id, ignore_missing=False))

        self.deleted.update((server.id, server.name) for server, _ in self.in_parallel(delete, servers))

    # What is returned

    def _described(self, seen: Seen) -> list[dict[str, Any]]:
        return [{**describe(server), "differences": differences(server, one.options, self.resources)}
                for one in self.wanted for server in seen[one.name]]

    def _plan(self, before: Seen) -> dict[str, Any]:
        """What would be done. IDs and addresses that the cloud is still to choose are left out."""
        missing = [one for one in self.wanted if not before[one.name] or never_ran(before[one.name][0])]
        now = self._described(before)
        planned = [entry for entry in now if entry["id"] in {
            servers[0].id for servers in before.values() if servers and not never_ran(servers[0])}]
        return self._result(now, now, planned + [one.planned() for one in missing], [one.name for one in missing],
                            [server.name for servers in before.values() for server in broken_or_surplus(servers)])

    def _result(self, before: list[dict[str, Any]], after: list[dict[str, Any]],
                planned: list[dict[str, Any]] | None = None, made: list[str] | None = None,
                deleted: list[str] | None = None) -> dict[str, Any]:
        """What the module returns; the diff shows what is `planned`, where nothing was done."""
        there = {server["id"] for server in after}
        if made is None:
            made = [name for server_id, name in self.made.items() if server_id in there]
        if deleted is None:
            deleted = [name for server_id, name in self.deleted.items() if server_id not in self.made]
        return {"changed": bool(made or deleted), "servers": after, "made": sorted(made), "deleted": sorted(deleted),
                "diff": {"before": {"servers": before}, "after": {"servers": after if planned is None else planned}}}


def main() -> None:
    """Run the module."""
    ClusterServersModule()()


if __name__ == "__main__":
    main()

"""Which server of the cloud a host of ElastiCluster's is, from the file in which ElastiCluster remembers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: elasticluster_server
short_description: the server of a host that ElastiCluster made
description:
  - ElastiCluster calls a host master001 and its server mycluster-master001, which need not be the only one of that
    name. Its storage file has the server's ID.
  - Without a storage file, or where that has no ID, it is the server's name.
  - A pickle is never loaded, because loading one runs whatever it says.
options:
  _input: {description: "ElastiCluster's storage folder, ~/.elasticluster/storage; empty to use names.", type: path}
  cluster: {description: The cluster's name in ElastiCluster., type: str, required: true}
  host: {description: The host's name in the inventory., type: str, required: true}
"""
EXAMPLES = """
eodata_network_server: "{{ '~/.elasticluster/storage' | elasticluster_server('mycluster', inventory_hostname) }}"
"""
RETURN = """
_value: {description: ID or name of the server., type: str}
"""


class _Loader(yaml.SafeLoader):
    """Plain data; what older versions of ElastiCluster wrote as Python objects becomes mappings, and no object."""


def _plain(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _plain)


def read(folder: Path, cluster: str) -> dict[str, Any]:
    """What ElastiCluster remembers of a cluster; nothing when it has no file of it."""
    for name in (f"{cluster}.yaml", f"{cluster}.json"):
        path = folder / name
        if not path.exists():
            continue
        try:
            with path.open(encoding="utf-8") as text:
                remembered = yaml.load(text, Loader=_Loader)  # JSON is YAML
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise AnsibleFilterError(f"{path} cannot be read: {error}. Remedy: mend it, or set elasticluster_storage to"
                                     " '' to find the servers by their names") from error
        if not isinstance(remembered, dict) or not isinstance(remembered.get("nodes"), dict):
            raise AnsibleFilterError(f"{path} has no nodes, so it is not what ElastiCluster writes. Remedy: correct"
                                     " cluster_name and elasticluster_storage, or set the latter to ''")
        return remembered
    pickle = folder / f"{cluster}.pickle"
    if pickle.exists():
        raise AnsibleFilterError(
            f"{pickle} is a pickle, and loading one runs whatever is in it. Remedy: let ElastiCluster itself convert"
            " it, in its own environment: python -c \"from elasticluster.repository import PickleRepository as P,"
            f" YamlRepository as Y; Y('{folder}').save_or_update(P('{folder}').get('{cluster}'))\"; or set"
            " elasticluster_storage to '' to find the servers by their names")
    return {}


def elasticluster_server(storage: str, cluster: str, host: str) -> str:
    """See DOCUMENTATION."""
    remembered = read(Path(storage).expanduser(), cluster) if storage else {}
    for nodes in remembered.get("nodes", {}).values():
        for node in nodes or ():
            if isinstance(node, dict) and node.get("name") == host and node.get("instance_id"):
                return str(node["instance_id"])
    return f"{cluster}-{host}"


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """Name and function."""
        return {"elasticluster_server": elasticluster_server}

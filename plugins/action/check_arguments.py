"""Compares variables with the argument specifications of many roles at once, before any of them runs.

Ansible itself validates a role's arguments only when the role starts; by then other roles have changed things.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

DOCUMENTATION = """
module: check_arguments
short_description: compare variables with roles' argument specifications
description: Runs on the controller and touches nothing. Only the entry point C(main) is looked at.
options:
  roles: {description: Paths of C(meta/argument_specs.yml) files., type: list, elements: path, required: true}
  host: {description: The host whose variables are compared., type: str, required: true}
"""
EXAMPLES = """
- name: Compare
  check_arguments: {roles: [roles/slurm/meta/argument_specs.yml], host: master001}
"""
RETURN = """
faults: {description: What is wrong, a sentence each, type: list, elements: str, returned: always}
"""


class ActionModule(ActionBase):
    """See DOCUMENTATION."""

    _VALID_ARGS = frozenset({"roles", "host"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check all roles; never fails for what it finds."""
        super().run(tmp, task_vars)
        host_vars = (task_vars or {})["hostvars"][self._task.args["host"]]
        faults = []
        for path in self._task.args["roles"]:
            faults += self._role_faults(Path(path), host_vars)
        return {"changed": False, "faults": faults}

    def _role_faults(self, path: Path, host_vars: Any) -> list[str]:
        role = path.parent.parent.name
        options = yaml.safe_load(path.read_text())["argument_specs"]["main"].get("options", {})
        values, faults = {}, []
        for name in options:
            if name not in host_vars:
                continue
            try:
                values[name] = host_vars[name]
            except AnsibleError as error:
                faults.append(f"{name} (role {role}) cannot be worked out: {error}")
        # What is required but has a default in the role, or comes from an earlier stage, is the role's own business.
        given = {name: options[name] for name in values}
        result = ArgumentSpecValidator(given).validate(values)
        return faults + [f"{message} (role {role})" for message in result.error_messages]

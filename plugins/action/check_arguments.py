"""Compares variables with the argument specifications of all roles at once, before any of them runs.

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
description: Runs on the controller and touches nothing. The options of all entry points are looked at.
options:
  roles_path: {description: The folder that holds the roles., type: path, required: true}
  host: {description: The host whose variables are compared., type: str, required: true}
"""
EXAMPLES = """
- name: Compare
  check_arguments: {roles_path: roles, host: master001}
"""
RETURN = """
faults: {description: What is wrong; variable, value and remedy., type: list, elements: str, returned: always}
"""

WANTED = {"int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list",
          "dict": "a mapping of names to values", "path": "a path", "str": "text", "raw": "text or a list"}


def fits(name: str, value: Any, option: dict[str, Any]) -> bool:
    """Whether a role can take the value. Stricter than Ansible, which takes null for anything, and a list for text."""
    if value is None or (option.get("type", "str") in ("str", "path") and isinstance(value, (list, dict))):
        return False
    return not ArgumentSpecValidator({name: option}).validate({name: value}).error_messages


def describe(name: str, value: Any, option: dict[str, Any], role: str) -> str:
    """The fault of a variable as a sentence, with what it must be and where to read more."""
    shown = "empty" if value is None else "not what it should be (a secret)" if option.get("no_log") else repr(value)
    wanted = WANTED[option.get("type", "str")]
    if "choices" in option:
        wanted = " or ".join(str(choice) for choice in option["choices"])
    default = option.get("default", "")
    known = "" if default == "" else f" ({str(default).lower() if isinstance(default, bool) else default})"
    return (f"{name} is {shown}, and must be {wanted}. Remedy: correct it, or leave it out for the default{known};"
            f" roles/{role}/README.md says what it does.")


class ActionModule(ActionBase):
    """See DOCUMENTATION."""

    _VALID_ARGS = frozenset({"roles_path", "host"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check all roles; never fails for what it finds."""
        super().run(tmp, task_vars)
        host_vars = (task_vars or {})["hostvars"][self._task.args["host"]]
        specs = sorted(Path(self._task.args["roles_path"]).glob("*/meta/argument_specs.yml"))
        if not specs:
            raise AnsibleError(f"no role under {self._task.args['roles_path']} has an argument specification")
        faults = []
        for path in specs:
            faults += self._role_faults(path, host_vars)
        return {"changed": False, "faults": faults}

    def _role_faults(self, path: Path, host_vars: Any) -> list[str]:
        role = path.parent.parent.name
        entry_points = yaml.safe_load(path.read_text())["argument_specs"].values()
        options = {name: option for entry in entry_points for name, option in entry.get("options", {}).items()}
        faults = []
        for name, option in options.items():
            # What is not set anywhere has a default in the role, which is the role's own business.
            if name not in host_vars:
                continue
            try:
                value = host_vars[name]
                if not fits(name, value, option):
                    faults.append(describe(name, value, option, role))
            except AnsibleError as error:
                faults.append(f"{name} cannot be worked out: {str(error).rstrip('.')}. Remedy: set what it refers to;"
                              f" roles/{role}/README.md says what it does.")
        return faults

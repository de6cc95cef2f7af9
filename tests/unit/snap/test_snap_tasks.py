"""The role's tasks: expressions that Jinja can read, and variables that are somewhere made."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles/snap"
TASKS = sorted(path.name for path in ROLE.glob("tasks/*.yml"))
CONDITIONS = ("when", "that", "until", "changed_when", "failed_when")


def expressions(node: Any, is_condition: bool = False) -> Iterator[str]:
    """All templates below a node of YAML; a condition is one without its braces."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from expressions(value, key in CONDITIONS)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value, is_condition)
    elif isinstance(node, str) and (is_condition or "{{" in node or "{%" in node):
        yield "{{ " + node + " }}" if is_condition else node


@pytest.mark.parametrize("name", TASKS)
def test_every_expression_can_be_read(name):
    found = list(expressions(yaml.safe_load((ROLE / "tasks" / name).read_text())))
    for text in found:
        jinja2.Environment().parse(text)
    assert found or name == "validate.yml" or name == "packages.yml"


def test_every_private_variable_is_made_somewhere():
    role = {path: path.read_text() for path in ROLE.rglob("*.yml")}
    used = {name for text in role.values() for name in re.findall(r"\bsnap__\w+", text)}
    made = {name for text in role.values()
            for name in re.findall(r"(?m)^\s*(?:- )?(snap__\w+):|register: (snap__\w+)|set (snap__\w+) =", text)
            for name in name if name}
    assert used - made == set()

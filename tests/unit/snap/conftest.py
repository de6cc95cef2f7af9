"""What the tests of the role snap share: its table, its filters, and its scripts for the nodes."""
from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

TOP = Path(__file__).resolve().parents[3]


def load(path: str) -> ModuleType:
    """A Python file of the kit as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, TOP / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def versions() -> dict[str, Any]:
    """The role's table."""
    return yaml.safe_load((TOP / "roles/snap/vars/main/versions.yml").read_text())["snap__versions"]


@pytest.fixture(scope="session")
def plan() -> ModuleType:
    """The filters."""
    return load("plugins/filter/snap_plan.py")


@pytest.fixture(scope="session")
def look() -> ModuleType:
    """roles/snap/files/look.py."""
    return load("roles/snap/files/look.py")

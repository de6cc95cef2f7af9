"""validate.yml tells SNAP's faults, all at once and before anything is touched."""
from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[1] / "test_argument_specs.py"
SPEC = importlib.util.spec_from_file_location("argument_specs_for_snap", PATH)
specs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(specs)


@pytest.mark.timeout(180)
def test_all_faults_of_snap_are_told_with_the_others(tmp_path):
    code, tasks, message = specs.validate(tmp_path, {
        "home_share_type": "bogus", "snap_version": 12, "snap_toolboxes": ["SMOS"], "snap_dir": "/usr/local",
        "snap_installer": "/nowhere/esa-snap.sh", "snap_installer_checksum": "sha256:12", "snap_memory": "lots"})
    assert code == 2
    assert tasks[-1] == "Stop with everything that is wrong"
    assert [line.split(" is ")[0].split(" names ")[0] for line in message.splitlines()[1:]] == [
        "  - home_share_type", "  - snap_dir", "  - snap_toolboxes", "  - snap_installer_checksum",
        "  - snap_installer", "  - snap_memory"]


@pytest.mark.timeout(180)
def test_a_version_as_number_is_no_fault_and_an_unknown_one_is(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert specs.validate(tmp_path / "a", {"snap_version": 13, "snap_toolboxes": "Sentinel-2,Optical"})[0] == 0
    code, _, message = specs.validate(tmp_path / "b", {"snap_version": "14"})
    assert code == 2
    assert message.splitlines()[1:] == [
        "  - snap_version is '14', which the kit does not know. Remedy: 9, 10, 11, 12, 13, or empty for none."]

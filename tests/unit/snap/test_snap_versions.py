"""The table of SNAP's versions, and the answers to the installer that come of it."""
from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
from ansible.errors import AnsibleFilterError

TOP = Path(__file__).resolve().parents[3]
MAJORS = ["9", "10", "11", "12", "13"]

# From snap.install4j at the tags; written out here so that a slip of the table does not pass.
COMPONENTS = {
    "9": {"SNAP", "S1TBX", "S2TBX", "S3TBX", "RSTB", "SMOS", "3109"},
    "10": {"SNAP", "S1TBX", "S3TBX", "SMOS", "3552"},
    "11": {"SNAP", "S1TBX", "S3TBX", "SMOS", "3552"},
    "12": {"SNAP", "S1TBX", "S3TBX", "3552", "3573"},
    "13": {"SNAP", "S1TBX", "S3TBX", "3552", "3573", "SMOS"},
}


def test_the_table_has_the_five_versions(versions):
    assert list(versions) == MAJORS


@pytest.mark.parametrize("major", MAJORS)
def test_a_version_fits_together(versions, major):
    release = versions[major]
    assert release["full"] == f"{major}.0.0"
    assert set(release["components"]) == COMPONENTS[major]
    assert {*release["always"], *release["toolboxes"].values()} == set(release["components"])
    server = r"https://download\.esa\.int/step/snap/"
    assert re.fullmatch(server + r"[0-9._]+/installers/[a-z_-]+[0-9._-]+\.sh", release["url"])
    assert release["full"] in Path(release["url"]).name.replace("_", ".")
    assert re.fullmatch(r"|[0-9a-f]{64}", release["sha256"])
    assert (release["module"] == "snappy") == (major == "9")
    assert (release["bridge"] == "pip") == (int(major) >= 12)


def test_sentinel_2_is_a_component_of_its_own_in_9_only(versions):
    assert {major: versions[major]["toolboxes"]["Sentinel-2"] for major in MAJORS} == {
        "9": "S2TBX", "10": "S3TBX", "11": "S3TBX", "12": "S3TBX", "13": "S3TBX"}


def varfile(plan, release, toolboxes, location="shared"):
    """The rendered answers: its keys and values."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(plan.FilterModule().filters())
    text = environment.from_string((TOP / "templates/snap.varfile.j2").read_text()).render(
        snap__release=release, snap__toolboxes=toolboxes, snap__home="/data/snap/13.0.0", snap_location=location)
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


@pytest.mark.parametrize("major", MAJORS)
def test_the_answers_name_every_component_of_the_version_and_no_other(plan, versions, major):
    answers = varfile(plan, versions[major], ["Sentinel-2"])
    chosen = {key.split(".")[2].split("$")[0]: value for key, value in answers.items() if "component" in key}
    assert set(chosen) == COMPONENTS[major]
    assert {name for name, value in chosen.items() if value == "true"} == {
        "SNAP", "S2TBX" if major == "9" else "S3TBX"} | ({"3573"} if int(major) >= 12 else set())
    assert set(chosen.values()) <= {"true", "false"}


def test_the_answers_keep_the_installer_to_its_folder(plan, versions):
    answers = varfile(plan, versions["13"], ["Sentinel-1"])
    assert answers["sys.installationDir"] == "/data/snap/13.0.0"
    assert answers["sys.symlinkDir"] == ""
    assert answers["sys.adminRights$Boolean"] == "false"
    assert varfile(plan, versions["13"], [], "node")["sys.adminRights$Boolean"] == "true"


def test_a_toolbox_that_a_version_has_not_is_refused(plan, versions):
    with pytest.raises(AnsibleFilterError, match="SNAP 12.0.0 has no SMOS"):
        plan.snap_components(versions["12"], ["SMOS"])

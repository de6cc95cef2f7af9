"""Faults in what is asked for of SNAP, faults of nodes, and shares of memory."""
from __future__ import annotations

import pytest

FINE = {"version": "13", "state": "present", "dir": "~eouser/snap", "user": "eouser", "toolboxes": ["Sentinel-2"],
        "installer": "", "installer_checksum": "", "esa_snappy": "esa_snappy==1.1.3", "jpy_wheel": "", "memory": "",
        "install_timeout": 3600, "configure_timeout": 300, "ranks_per_node": 0, "tile_cache": 0, "parallelism": 1}


def faults(plan, versions, **changes):
    return plan.snap_faults({**FINE, **changes}, versions)


def test_what_is_fine_has_no_faults(plan, versions):
    assert faults(plan, versions) == []
    assert faults(plan, versions, dir="/opt/eocluster/snap", memory="3G", toolboxes="Sentinel-1,Sentinel-2") == []


def test_without_a_version_nothing_is_looked_at(plan, versions):
    assert faults(plan, versions, version="", dir="/", toolboxes=["none"], memory="much") == []


@pytest.mark.parametrize("folder", [
    "/", "//", "/opt", "/opt/", "/usr", "/usr/local", "/home", "/home/eouser", "/home/eouser/", "/home/other",
    "/root", "~", "~eouser", "~eouser/", "~/", "/tmp", "/var/lib", "/opt/eocluster", "/etc/snap", "/usr/bin",
    "/proc/1", "snap", "./snap", "/opt/../usr", "~root/snap", "/opt/my snap", "/opt/snap;id"])
def test_a_folder_that_is_not_snaps_alone_is_refused(plan, versions, folder):
    (fault,) = faults(plan, versions, dir=folder)
    assert fault.startswith(f"snap_dir is '{folder}', ")
    assert "Remedy:" in fault


def test_a_home_elsewhere_is_a_home(plan, versions):
    assert faults(plan, versions, dir="/data/people/eouser", home="/data/people/eouser")
    assert faults(plan, versions, dir="/data/people/eouser/snap", home="/data/people/eouser") == []


def test_to_remove_needs_a_folder_of_ours_too(plan, versions):
    assert "snap_dir" in faults(plan, versions, version="", state="absent", dir="/opt")[0]


@pytest.mark.parametrize(("changes", "said"), [
    ({"version": "8"}, "snap_version is '8', which the kit does not know. Remedy: 9, 10, 11, 12, 13, or empty"),
    ({"version": "12", "toolboxes": ["SMOS", "Sentinel-2"]}, "snap_toolboxes names SMOS, which SNAP 12 does not have."),
    ({"toolboxes": ["S2TBX"]}, "snap_toolboxes names S2TBX, which SNAP 13 does not have. Remedy: of Sentinel-1, Mi"),
    ({"installer": "ftp://x/y.sh"}, "snap_installer is 'ftp://x/y.sh', and must begin with http:// or https://"),
    ({"installer": "https://me:secret@x/y.sh"}, "snap_installer is 'https://...@x/y.sh', and must begin"),
    ({"installer": "/nowhere/snap.sh"}, "snap_installer is '/nowhere/snap.sh', and there is no such file"),
    ({"installer": "https://x/y.exe"}, "snap_installer is 'https://x/y.exe', which is no installer (.sh)."),
    ({"installer_checksum": "md5:0"}, "snap_installer_checksum is 'md5:0', and must be sha256:"),
    ({"jpy_wheel": "jpy.whl"}, "snap_jpy_wheel is 'jpy.whl', and there is no such file"),
    ({"esa_snappy": "wheels/esa_snappy.whl"}, "snap_esa_snappy is 'wheels/esa_snappy.whl', and there is no such file"),
    ({"memory": "3 GB"}, "snap_memory is '3 GB', and must be a size in M or G."),
    ({"parallelism": 0}, "snap_parallelism is 0, and must be at least 1."),
    ({"install_timeout": "5"}, "snap_install_timeout is 5, and must be at least 10."),
])
def test_each_fault_names_variable_value_and_remedy(plan, versions, changes, said):
    (fault,) = faults(plan, versions, **changes)
    assert fault.startswith(said)
    assert "Remedy: " in fault


def test_all_faults_are_told_at_once(plan, versions):
    found = faults(plan, versions, dir="/", toolboxes=["X"], memory="x", installer="/nowhere.sh", parallelism=0)
    assert len(found) == 5


def test_a_file_that_is_there_is_taken(plan, versions, tmp_path):
    (tmp_path / "snap.sh").touch()
    assert faults(plan, versions, installer=str(tmp_path / "snap.sh")) == []


SEEN = {"machine": "x86_64", "free_megabytes": 90000, "mark": {},
        "python": {"version": "3.11", "path": "/env/bin/python3", "packages": "/env/lib"},
        "install": {"exists": False, "empty": True, "version": "", "is_snap": False, "missing": ["bin/gpt"]}}
ASKED = {"dir": "/data/snap", "python": "/env/bin/python3", "jpy_wheel": ""}


def node_faults(plan, release, asked=(), installs=True, **changes):
    return plan.snap_node_faults({**SEEN, **changes}, {**ASKED, **dict(asked)}, release, installs)


def test_a_fresh_node_is_fine(plan, versions):
    assert node_faults(plan, versions["13"]) == []


def python(version):
    return {"version": version, "path": "/env/bin/python3", "packages": "/env/lib"}


@pytest.mark.parametrize(("major", "version", "wheel", "fine"), [
    ("9", "3.6", "", True), ("9", "3.7", "", False), ("9", "3.11", "jpy.whl", True), ("9", "3.12", "jpy.whl", False),
    ("10", "3.10", "", True), ("11", "3.11", "", False), ("11", "3.12", "jpy.whl", True),
    ("12", "3.8", "", False), ("13", "3.9", "", True), ("13", "3.13", "", True), ("13", "3.14", "jpy.whl", False)])
def test_a_python_must_be_one_that_the_bridge_is_made_for(plan, versions, major, version, wheel, fine):
    found = node_faults(plan, versions[major], {"jpy_wheel": wheel}, python=python(version))
    assert (found == []) == fine
    assert all(f"is Python {version}" in fault and "Remedy: " in fault for fault in found)


def test_a_folder_with_something_else_in_it_is_refused(plan, versions):
    there = {"exists": True, "empty": False, "version": "", "is_snap": False, "missing": ["bin/gpt"]}
    (fault,) = node_faults(plan, versions["13"], install=there)
    assert fault.startswith("/data/snap/13.0.0 holds files that are not SNAP's and not ours")
    assert node_faults(plan, versions["13"], install=there, mark={"state": "installing"}) == []
    assert node_faults(plan, versions["13"], install={**there, "empty": True}) == []
    assert node_faults(plan, versions["13"], install=there, installs=False) == []


def test_a_snap_of_somebody_elses_must_be_that_version(plan, versions):
    there = {"exists": True, "empty": False, "version": "11.0.0", "is_snap": True, "missing": []}
    (fault,) = node_faults(plan, versions["13"], install=there)
    assert "holds SNAP '11.0.0', which we did not install" in fault
    assert node_faults(plan, versions["11"], {"jpy_wheel": "jpy.whl"}, install=there) == []


def test_room_is_needed_only_for_what_is_not_there(plan, versions):
    (fault,) = node_faults(plan, versions["13"], free_megabytes=100)
    assert fault.startswith("100 MB are free for /data/snap, and SNAP 13.0.0 takes about 5500")
    there = {"exists": True, "empty": False, "version": "13.0.0", "is_snap": True, "missing": []}
    assert node_faults(plan, versions["13"], free_megabytes=100, install=there) == []


def test_another_processor_is_refused(plan, versions):
    assert "its processor is aarch64" in node_faults(plan, versions["13"], machine="aarch64")[0]


def test_the_worker_with_the_least_memory_for_each_process_decides(plan):
    workers = [{"megabytes": 64000, "ranks": 16}, {"megabytes": 16000, "ranks": 2}]
    # 64000 * 0.9 / 16 = 3600 MB for each; three quarters are 2700, in steps of 256 that is 2560
    assert plan.snap_memory(workers) == {"heap": "2560M", "heap_mb": 2560, "tile_cache_mb": 1280}


def test_what_is_asked_for_is_taken(plan):
    workers = [{"megabytes": 8000, "ranks": 2}]
    assert plan.snap_memory(workers, "3g", 500) == {"heap": "3G", "heap_mb": 3072, "tile_cache_mb": 500}
    assert plan.snap_memory(workers, "700M") == {"heap": "700M", "heap_mb": 700, "tile_cache_mb": 350}


def test_the_heaps_of_all_processes_fit_into_a_worker(plan):
    for megabytes in (4000, 8000, 31000, 257000):
        for ranks in (1, 3, 8, 64):
            if megabytes / ranks >= 1000:
                heap = plan.snap_memory([{"megabytes": megabytes, "ranks": ranks}])["heap_mb"]
                assert heap * ranks <= 0.7 * megabytes

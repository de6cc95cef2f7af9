"""A rank's share of a node, and what its Java virtual machine is told."""

import os

import pytest
from eojob import jvm
from eojob.errors import EojobError

MB = 1 << 20
SLURM = ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK",
         "SLURM_NTASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    for key in SLURM:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(jvm, "_control_groups", lambda: [])


def test_the_node_is_its_ram_without_limits():
    assert jvm.node_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("given, megabytes", [
    ({"SLURM_MEM_PER_NODE": "1000"}, 1000),
    ({"SLURM_MEM_PER_CPU": "300", "SLURM_CPUS_ON_NODE": "4"}, 1200),
    ({"SLURM_MEM_PER_CPU": "300"}, 300),
])
def test_what_slurm_gives_is_respected(monkeypatch, given, megabytes):
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    assert jvm.node_memory() == megabytes * MB


def test_control_groups_of_both_versions(tmp_path, monkeypatch):
    monkeypatch.undo()
    two, one = tmp_path / "two", tmp_path / "one"
    (two / "job/step").mkdir(parents=True)
    (two / "job/step/memory.max").write_text("max\n")
    (two / "job/memory.max").write_text(f"{700 * MB}\n")
    own = tmp_path / "own"
    own.write_text("0::/job/step\n")
    assert jvm._control_groups(str(two), str(own)) == [700 * MB]
    (one / "memory/job").mkdir(parents=True)
    (one / "memory/job/memory.limit_in_bytes").write_text(f"{800 * MB}\n")
    (one / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    own.write_text("5:cpu,cpuacct:/job\n4:memory:/job\n")
    assert jvm._control_groups(str(one), str(own)) == [800 * MB, 9223372036854771712]
    assert jvm._control_groups(str(one), str(tmp_path / "none")) == []


def test_heap_is_a_ranks_share(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "8000")
    assert jvm.heap("") == 6000
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "4")
    assert jvm.heap("") == 1500
    assert jvm.heap("3G") == 3072 and jvm.heap("800m") == 800


def test_too_many_ranks_for_the_memory(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2000")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "8")
    with pytest.raises(EojobError, match=r"8 rank\(s\) share 2000 MB, which leaves 187 MB .* use fewer ranks"):
        jvm.heap("")


def test_options(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    folders = jvm.make_folders(str(tmp_path))
    assert all(os.path.isdir(folder) for folder in folders)
    ours = jvm.options(folders, 1000)
    told = jvm.merged(["-Dsnap.parallelism=9", "-Dother=1", "-Xss4m"], ours)
    assert told[:2] == ["-Dother=1", "-Xss4m"], "what is not ours stays"
    assert told[2:] == list(ours.values())
    assert {f"-Dsnap.userdir={tmp_path}/snap-userdir", f"-Djava.io.tmpdir={tmp_path}/snap-tmp", "-Xrs",
            "-Dsnap.parallelism=3", "-Dsnap.jai.tileCacheSize=500"} <= set(told)

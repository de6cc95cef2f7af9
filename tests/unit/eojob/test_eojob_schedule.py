"""The counter without MPI, and what happens when processes cannot see each other. With MPI: tests/integration."""

import builtins

import pytest
from eojob import jobfile, runner, schedule
from eojob.errors import EojobError


@pytest.fixture
def unlaunched(monkeypatch):
    for key in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"):
        monkeypatch.delenv(key, raising=False)
    return monkeypatch


@pytest.mark.parametrize("total", [0, 1, 5])
def test_every_number_once_in_order(total):
    with schedule.Counter(schedule.SerialCommunicator(), total) as counter:
        assert list(iter(counter.next, None)) == list(range(total))
        assert counter.next() is None


def test_an_error_passes_through():
    with pytest.raises(KeyError), schedule.Counter(schedule.SerialCommunicator(), 3):
        raise KeyError


def test_serial_without_mpirun(unlaunched):
    assert schedule.communicator().size == 1


def test_many_processes_without_mpi4py_would_each_do_everything(unlaunched):
    unlaunched.setenv("OMPI_COMM_WORLD_SIZE", "4")
    without_mpi4py(unlaunched)
    with pytest.raises(EojobError, match="mpi4py: cannot be imported"):
        schedule.communicator()


def test_one_process_without_mpi4py(unlaunched):
    unlaunched.setenv("OMPI_COMM_WORLD_SIZE", "1")
    without_mpi4py(unlaunched)
    assert isinstance(schedule.communicator(), schedule.SerialCommunicator)


def without_mpi4py(patch):
    original = builtins.__import__

    def importing(name, *arguments, **keywords):
        if name.startswith("mpi4py"):
            raise ImportError("No module named 'mpi4py'")
        return original(name, *arguments, **keywords)
    patch.setattr(builtins, "__import__", importing)


@pytest.mark.parametrize("limit, ranks, share", [(0, 100, 4), (8, 1, 4), (8, 4, 2), (4, 16, 1)])
def test_connections_are_shared_over_ranks(limit, ranks, share):
    job = jobfile.parse({"endpoint_url": "http://h", "bucket": "b", "prefix": "p", "output_dir": "/o",
                         "connections": 4, "max_connections": limit})
    assert runner._share(job, ranks) == share

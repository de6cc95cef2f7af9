"""Dealing out items, and what happens when processes cannot see each other. Over hosts: tests/integration."""

import builtins
import importlib.util
import pickle
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from eojob import jobfile, schedule, startup
from eojob.errors import EojobError
from eojob_support import FILES, PIPES


@pytest.fixture
def unlaunched(monkeypatch):
    for key in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"):
        monkeypatch.delenv(key, raising=False)
    return monkeypatch


@pytest.mark.parametrize("total", [0, 1, 5])
def test_every_item_once_in_order(total):
    items = [f"item {number}" for number in range(total)]
    with schedule.Dealer(schedule.SerialCommunicator(), items) as dealer:
        assert list(iter(dealer.next, None)) == list(enumerate(items))
        assert dealer.next() is None
        assert dealer.any_thread


def test_an_error_passes_through():
    with pytest.raises(KeyError), schedule.Dealer(schedule.SerialCommunicator(), [1, 2, 3]):
        raise KeyError


def test_deal_gives_all_in_order_and_then_nothing():
    deal = schedule.Deal(3)
    assert [deal.take() for _ in range(5)] == [0, 1, 2, None, None]


@pytest.mark.parametrize("hosts, items, ranks", [
    ("aabb", 9, [0, 1, 2, 3]), ("aabb", 2, [0, 2]), ("aabb", 3, [0, 1, 2]), ("abab", 2, [0, 1]), ("aaab", 0, []),
    ("aaaabc", 4, [0, 1, 4, 5])])
def test_few_items_are_spread_over_nodes(hosts, items, ranks):
    assert schedule.working_ranks(list(hosts), items) == ranks


class _Status:
    def Get_source(self):
        return self.source


class ThreadWorld:
    """Ranks of a job as threads of this process: messages of MPI's point-to-point calls through lists, pickled.

    It shows the protocol between ranks, not MPI; that is test_ranks_of_a_real_mpi and tests/integration.
    """

    ANY_SOURCE = -1

    def __init__(self, size):
        self.size, self.boxes, self.lock = size, [[] for _ in range(size)], threading.Lock()

    def rank(self, number):
        return _RankOfThread(self, number)


class _RankOfThread:
    def __init__(self, world, rank):
        self.world, self.rank, self.size = world, rank, world.size

    def send(self, value, dest, tag):
        with self.world.lock:
            self.world.boxes[dest].append((self.rank, tag, pickle.dumps(value)))

    Send = send

    def _first(self, source, tag):
        return next((message for message in self.world.boxes[self.rank]
                     if source in (message[0], self.world.ANY_SOURCE) and message[1] == tag), None)

    def Iprobe(self, source, tag, status=None):
        with self.world.lock:
            message = self._first(source, tag)
        if message and status:
            status.source = message[0]
        return message is not None

    def recv(self, source, tag):
        while not self.Iprobe(source, tag):
            pass
        with self.world.lock:
            message = self._first(source, tag)
            self.world.boxes[self.rank].remove(message)
        return pickle.loads(message[2])

    def Recv(self, buffer, source, tag):
        buffer[:] = self.recv(source, tag)


@pytest.fixture(params=["threads", "no threads"])
def mpi(request, monkeypatch):
    """mpi4py's module as far as the dealer looks at it, with and without MPI_THREAD_SERIALIZED."""
    level = 2 if request.param == "threads" else 1
    module = SimpleNamespace(ANY_SOURCE=ThreadWorld.ANY_SOURCE, Status=_Status, THREAD_SERIALIZED=2,
                             Query_thread=lambda: level)
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=module))
    monkeypatch.setattr(schedule, "_POLL", 0.0005)
    return module


def share(size, items, limits=None):
    """What each of `size` ranks got; rank r leaves after limits[r] items. Ends when all have left."""
    world, got = ThreadWorld(size), [[] for _ in range(size)]

    def work(number):
        with schedule.Dealer(world.rank(number), items if number == 0 else None) as dealer:
            while (limits or {}).get(number) != len(got[number]):
                each = dealer.next()
                if each is None:
                    return
                got[number].append(each)
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a rank waits for ever"
    assert not any(world.boxes), "every message was read"
    return got


@pytest.mark.parametrize("size, total", [(2, 0), (2, 1), (5, 3), (4, 200)])
def test_ranks_share_all_items_once(mpi, size, total):
    items = [(f"product {number}", {"B2": number}) for number in range(total)]
    got = share(size, items)
    assert sorted(each for rank in got for each in rank) == list(enumerate(items))
    assert all([index for index, _ in rank] == sorted(index for index, _ in rank) for rank in got)
    if mpi.Query_thread() < mpi.THREAD_SERIALIZED:
        assert got[0] == [], "it serves the others all along"


@pytest.mark.parametrize("limits", [{1: 0}, {1: 3, 2: 0}, {0: 2}, {0: 0, 1: 1}])
def test_what_a_rank_leaves_is_given_to_others(mpi, limits):
    got = share(4, list(range(100)), limits)
    assert sorted(index for rank in got for index, _ in rank) == list(range(100))
    assert all(len(got[rank]) <= limit for rank, limit in limits.items())


def test_all_may_leave_before_the_end(mpi):
    got = share(3, list(range(50)), {0: 1, 1: 2, 2: 3})
    assert [len(rank) for rank in got[1:]] == [2, 3]


def test_a_fault_of_the_serving_thread_is_told(mpi):
    if mpi.Query_thread() < mpi.THREAD_SERIALIZED:
        pytest.skip("rank 0 serves without a thread")
    world = ThreadWorld(2)
    dealer = schedule.Dealer(world.rank(0), [threading.Lock()])  # which cannot be sent
    world.rank(1).Send([schedule._NEXT], dest=0, tag=schedule._ASK)
    with pytest.raises(EojobError, match="cannot be shared any more.*pickle"), dealer:
        pass


REAL = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from eojob import schedule
comm = schedule.communicator()
mine = []
with schedule.Dealer(comm, [f"p{n}" for n in range(40)] if comm.rank == 0 else None) as dealer:
    def fetch():  # as a thread that fetches ahead
        while len(mine) < {0: 0, 1: 2}.get(comm.rank, 40):
            each = dealer.next()
            if each is None:
                return
            mine.append(each)
    if dealer.any_thread:
        thread = threading.Thread(target=fetch)
        thread.start()
        thread.join()
    else:
        fetch()
schedule.meet(comm)
gathered = comm.gather(mine)
if comm.rank == 0:
    given = sorted(each for rank in gathered for each in rank)
    print(comm.size, len(gathered[0]), len(gathered[1]) <= 2, given == [(n, f"p{n}") for n in range(40)])
"""


@pytest.mark.skipif(not (shutil.which("mpirun") and importlib.util.find_spec("mpi4py")),
                    reason="mpirun and mpi4py are on the cluster's nodes; see tests/integration")
def test_ranks_of_a_real_mpi():
    done = subprocess.run(
        ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", sys.executable, "-c", REAL, str(FILES)],
        **PIPES, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "0", "True", "True"]


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


@pytest.mark.parametrize("job_limit, ranks, node_limit, ranks_here, share", [
    (0, 100, 0, 2, 4), (8, 1, 0, 1, 4), (8, 4, 0, 2, 2), (4, 16, 0, 2, 1), (0, 100, 6, 2, 3), (8, 4, 2, 2, 1)])
def test_connections_are_shared_over_ranks(job_limit, ranks, node_limit, ranks_here, share):
    job = jobfile.parse({"endpoint_url": "http://h", "bucket": "b", "prefix": "p", "output_dir": "/o",
                         "connections": 4, "max_connections": job_limit, "node_connections": node_limit})
    assert startup.connections(job, ranks, ranks_here) == share

"""The network between the job and the store: a TCP proxy that shapes what passes, in a process of its own.

    python -m job.network --to 127.0.0.1:8333 --connection-rate 20 --requests 4

It prints its own address, and when it is ended by SIGTERM a line of JSON that says what has passed. Rates hold in each
direction; half of the round trip is spent on the way up and half on the way down, and a connection costs one round trip
to open, as TCP's does. TCP's slow start is not modelled, so a real network of that latency is slower still.

It works with large reads, because it shares its cores with the job that is measured.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from job.shaping import Exchange, Pace

_CHUNK = 1 << 20  # bytes of one read at most
_IN_FLIGHT = 64   # chunks on their way in one direction of a connection


class Profile(NamedTuple):
    """A network. Rates in MB/s (10^6 bytes), 0 for unlimited."""

    name: str
    connection_rate: float = 0
    total_rate: float = 0
    round_trip: float = 0  # ms
    requests: int = 0      # served at the same time, the others wait; 0 for unlimited


PROFILES = {
    "connection": Profile("40 MB/s per connection", connection_rate=40),
    "quota": Profile("CDSE quota: 4 connections of 20 MB/s", connection_rate=20, requests=4),
    "gigabit": Profile("1 Gbit/s and 20 ms", total_rate=125, round_trip=20),
}


class Proxy:
    """One shaped network in front of the server at `address`."""

    def __init__(self, address: tuple[str, int], profile: Profile, clock: Callable[[], float] = time.monotonic,
                 sleep_until: Callable[[float], Awaitable[None]] | None = None) -> None:
        """`clock` returns seconds; `sleep_until` is awaited with a time on it."""
        self.address, self.profile = address, profile
        self._clock, self._sleep_until = clock, sleep_until or _sleep_until
        self.passed = {"requests": 0, "bytes": 0, "connections": 0, "most_at_a_time": 0}
        self._up, self._down = (Pace(profile.total_rate * 1e6, clock) for _ in range(2))
        self._slots = asyncio.Semaphore(profile.requests or 1_000_000)
        self._at_a_time = 0

    async def serve(self, listener: socket.socket) -> None:
        """Accept connections for ever."""
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()
        while True:
            client, _ = await loop.sock_accept(listener)
            task = loop.create_task(self._connection(client))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _connection(self, client: socket.socket) -> None:
        self.passed["connections"] += 1
        exchange, server, held = Exchange(), socket.socket(), False

        async def request(data: bytes) -> None:
            nonlocal held
            if exchange.sent(data):
                await self._slots.acquire()
                held = True
                self._at_a_time += 1
                self.passed["requests"] += 1
                self.passed["most_at_a_time"] = max(self.passed["most_at_a_time"], self._at_a_time)

        async def answer(data: bytes) -> None:
            nonlocal held
            self.passed["bytes"] += len(data)
            if exchange.received(data) and held:
                held = False
                self._release()

        with client, server, contextlib.suppress(OSError):  # either side may hang up at any time
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._sleep_until(self._clock() + self.profile.round_trip / 1000)
            await asyncio.get_running_loop().sock_connect(server, self.address)
            pumps = [asyncio.create_task(self._pump(client, server, self._up, request)),
                     asyncio.create_task(self._pump(server, client, self._down, answer))]
            # A client that has hung up wants no answer any more, and a server that has hung up has none.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        if held:
            self._release()

    def _release(self) -> None:
        self._at_a_time -= 1
        self._slots.release()

    async def _pump(self, source: socket.socket, target: socket.socket, total: Pace,
                    seen: Callable[[bytes], Awaitable[None]]) -> None:
        """Carry bytes one way at the pace of the connection and of the whole; `seen` is awaited before they arrive."""
        loop, own = asyncio.get_running_loop(), Pace(self.profile.connection_rate * 1e6, self._clock)
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await self._sleep_until(due)
                if data:
                    await seen(data)
                    await loop.sock_sendall(target, data)
                else:
                    return

        delivery = asyncio.create_task(deliver())
        try:
            data = b"-"
            while data and not delivery.done():
                data = await loop.sock_recv(source, _CHUNK)
                through = max(own.through(len(data)), total.through(len(data)))
                await self._sleep_until(through)
                await under_way.put((through + self.profile.round_trip / 2000, data))
            await delivery
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)


async def _sleep_until(due: float) -> None:
    seconds = due - time.monotonic()
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _run(address: tuple[str, int], profile: Profile) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    print("{}:{}".format(*listener.getsockname()), flush=True)
    proxy, cpu = Proxy(address, profile), time.process_time()  # starting is not part of a run
    serving = asyncio.create_task(proxy.serve(listener))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    print(json.dumps({**proxy.passed, "cpu_seconds": round(time.process_time() - cpu, 3)}), flush=True)


class Shaped(NamedTuple):
    """A running proxy: where it listens, and, once it has ended, what has passed."""

    endpoint: str
    passed: dict[str, Any]  # requests, bytes, connections, most_at_a_time, cpu_seconds


@contextlib.contextmanager
def shaped(profile: Profile, host: str, port: int) -> Iterator[Shaped]:
    """Run the proxy in front of `host`:`port`."""
    command = [sys.executable, "-m", "job.network", "--to", f"{host}:{port}",
               "--connection-rate", str(profile.connection_rate), "--total-rate", str(profile.total_rate),
               "--round-trip", str(profile.round_trip), "--requests", str(profile.requests)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        network = Shaped("http://" + process.stdout.readline().strip(), {})
        try:
            yield network
        finally:
            process.terminate()
            network.passed.update(json.loads(process.stdout.readline() or "{}"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A TCP proxy that shapes what passes.")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the server")
    parser.add_argument("--connection-rate", type=float, default=0, help="MB/s of one connection (0: unlimited)")
    parser.add_argument("--total-rate", type=float, default=0, help="MB/s of all together (0: unlimited)")
    parser.add_argument("--round-trip", type=float, default=0, help="ms")
    parser.add_argument("--requests", type=int, default=0, help="served at the same time (0: unlimited)")
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    profile = Profile("", options.connection_rate, options.total_rate, options.round_trip, options.requests)
    asyncio.run(_run((host, int(port)), profile))


if __name__ == "__main__":
    main()

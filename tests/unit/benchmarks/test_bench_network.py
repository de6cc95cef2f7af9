"""The proxy: it delays by the clock it is given, passes S3 unchanged, and serves so many requests at a time."""

import asyncio
import hashlib
import http.server
import secrets
import socket
import threading

import boto3
import pytest
from botocore.config import Config
from job import store
from job.network import Profile, Proxy, shaped


class Clock:
    """Virtual time, which jumps to whatever somebody sleeps for."""

    now = 0.0

    def __call__(self):
        return self.now

    async def sleep_until(self, due):
        self.now = max(self.now, due)
        await asyncio.sleep(0)


async def talk(profile, clients, size, requests=1):
    """Let `clients` ask a server through the proxy, each on one connection; virtual seconds after each request."""
    clock = Clock()

    async def answer(reader, writer):
        while await reader.readline():
            await reader.readline()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            await writer.drain()

    async def ask(address):
        reader, writer = await asyncio.open_connection(*address)
        times = []
        for _ in range(requests):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(size)) == size
            times.append(clock.now)
        writer.close()
        return times

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    proxy = Proxy(server.sockets[0].getsockname(), profile, clock, clock.sleep_until)
    serving = asyncio.create_task(proxy.serve(listener))
    times = await asyncio.gather(*(ask(listener.getsockname()) for _ in range(clients)))
    serving.cancel()
    listener.close()
    server.close()
    return times, proxy.passed


def test_a_connection_has_its_rate():
    (times,), passed = asyncio.run(talk(Profile("", connection_rate=40), 1, 8_000_000))
    assert times == [pytest.approx(0.2, rel=1e-3)]
    assert passed["bytes"] == 8_000_000 + len(b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n")


def test_all_connections_together_have_the_total_rate():
    times, _ = asyncio.run(talk(Profile("", total_rate=40), 4, 2_000_000))
    assert max(last for (last,) in times) == pytest.approx(0.2, rel=1e-3)


def test_connections_do_not_share_their_own_rate():
    times, _ = asyncio.run(talk(Profile("", connection_rate=40), 4, 8_000_000))
    assert max(last for (last,) in times) < 0.8 - 0.2, "four one after the other would take 0.8 s"


def test_a_request_takes_a_round_trip_and_the_first_on_a_connection_two():
    (times,), passed = asyncio.run(talk(Profile("", round_trip=20), 1, 10, requests=3))
    assert times == pytest.approx([0.04, 0.06, 0.08])
    assert passed["requests"] == 3 and passed["connections"] == 1


def client(endpoint):
    return boto3.Session(profile_name=store.PROFILE).client(
        "s3", endpoint_url=endpoint, region_name="default", config=Config(s3={"addressing_style": "path"}))


def test_s3_passes_byte_for_byte(server):
    body = secrets.token_bytes(3_000_001)
    with shaped(Profile("", total_rate=1000, round_trip=1), server.host, server.port) as network:
        through = client(network.endpoint)
        through.put_object(Bucket=store.BUCKET, Key="test/object", Body=body)
        whole = through.get_object(Bucket=store.BUCKET, Key="test/object")["Body"].read()
        part = through.get_object(Bucket=store.BUCKET, Key="test/object", Range="bytes=1000-2000000")["Body"].read()
        size = through.head_object(Bucket=store.BUCKET, Key="test/object")["ContentLength"]
        keys = [each["Key"] for each in through.list_objects_v2(Bucket=store.BUCKET, Prefix="test/")["Contents"]]
    assert hashlib.sha256(whole).digest() == hashlib.sha256(body).digest()
    assert part == body[1000:2_000_001] and size == len(body) and keys == ["test/object"]
    assert network.passed["requests"] == 5
    assert network.passed["bytes"] > len(whole) + len(part)


def test_only_so_many_requests_are_served_at_a_time():
    arrived, go, lock = threading.Semaphore(0), threading.Semaphore(0), threading.Lock()
    at_a_time, most = 0, 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, and idle ones must not take a place

        def do_GET(self):
            nonlocal at_a_time, most
            with lock:
                at_a_time += 1
                most = max(most, at_a_time)
            arrived.release()
            assert go.acquire(timeout=60)
            with lock:
                at_a_time -= 1
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    try:
        with shaped(Profile("", requests=2), *target.server_address) as network:
            host, port = network.endpoint.rpartition("/")[2].split(":")
            connections = [socket.create_connection((host, int(port)), 60) for _ in range(6)]
            for each in connections:
                each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            for count in range(6):
                assert arrived.acquire(timeout=60), f"request {count + 1} never came: the cap lets none through"
                if count:  # two are under way, so that the third can come only when one has been answered
                    go.release()
            go.release()
            for each in connections:
                assert each.recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        target.shutdown()
        target.server_close()
        for each in connections:
            each.close()
    assert most == 2 and network.passed["most_at_a_time"] == 2 and network.passed["requests"] == 6

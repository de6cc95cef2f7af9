"""What server_interface does when Nova's answers are late, lost or refused, by a proxy in front of the real Nova."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest


class Proxy(http.server.ThreadingHTTPServer):
    """Passes requests on to Nova; `meddle` may answer an attach itself, or spoil its answer."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream)
        self.endpoint = f"http://127.0.0.1:{self.server_port}{self.upstream.path}"
        self.attached = 0  # attach requests that reached Nova
        self.meddle: Callable[[Callable[[], int]], int | None] = lambda forward: None

    def cloud(self, member) -> dict:
        """The member's cloud, with Nova behind this proxy."""
        config = member.config.config
        return {"auth_type": "v3applicationcredential", "auth": dict(config["auth"]), "region_name": "RegionOne",
                "compute_endpoint_override": self.endpoint}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(*self._forward())

    def do_POST(self) -> None:
        kept: list = []

        def forward() -> int:
            self.server.attached += 1
            kept[:] = self._forward()
            return kept[0]

        status = self.server.meddle(forward)
        if status is None and not kept:
            forward()
        self._answer(*(kept if status is None else (status, [], b"")))

    do_DELETE = do_GET

    def _forward(self) -> tuple:
        upstream = http.client.HTTPConnection(self.server.upstream.netloc)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status: int, headers: list, body: bytes) -> None:
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(member):
    server = Proxy(member.compute.get_endpoint())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_faults_that_pass_are_waited_for(play, proxy, member, server, on_network, eodata):
    faults = [503, 429, 409, 500]
    proxy.meddle = lambda forward: faults.pop(0) if faults else None
    (result,) = play({"server": server.name, "network": eodata, "cloud": proxy.cloud(member)})
    assert result["changed"] and not faults and len(on_network(server)) == 1


def test_faults_that_stay_are_told(play, proxy, member, server, on_network, eodata):
    proxy.meddle = lambda forward: 503
    (result,) = play({"server": server.name, "network": eodata, "cloud": proxy.cloud(member)})
    assert result["failed"] and "The cloud itself failed" in result["msg"] and on_network(server) == []


def test_a_lost_answer_does_not_attach_twice(play, proxy, member, server, on_network, eodata):
    def lose_the_first(forward):
        if proxy.attached:
            return None
        assert forward() == 200
        return 504

    proxy.meddle = lose_the_first
    (result,) = play({"server": server.name, "network": eodata, "cloud": proxy.cloud(member)})
    assert result["changed"] and proxy.attached == 1 and len(on_network(server)) == 1


def test_two_runs_at_the_same_time_attach_once(play, proxy, member, server, on_network, eodata):
    both_asked = threading.Barrier(2, timeout=240)

    def wait_for_the_other(forward):
        # both have seen no interface when this lets them go on
        both_asked.wait()
        forward()
        both_asked.wait()

    proxy.meddle = wait_for_the_other
    task = {"server": server.name, "network": eodata, "cloud": proxy.cloud(member)}
    results = [result for run in [play.start(dict(task)), play.start(dict(task))] for result in play.results(run)]
    (port,) = on_network(server)
    assert proxy.attached == 2
    assert sorted(result["changed"] for result in results) == [False, True]
    second = next(result for result in results if not result["changed"])  # it took its own port off again
    assert [entry["port_id"] for entry in second["interfaces"]] == [port.id]
    assert all(port.id == result["interfaces"][0]["port_id"] for result in results)

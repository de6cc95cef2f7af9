"""What a store does on bad days, by a proxy in front of the real one: 429, 503, cut bodies, and no S3 at all."""

import http.client
import http.server
import json
import socketserver
import threading
from pathlib import Path
from urllib.parse import urlsplit

import image_processing
import pytest
from eojob import jobfile, runner, schedule
from eojob.store import Store, StoreError
from eojob_products import product_name


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Passes requests on to `upstream`, except that `faults` are answered first, one each."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.faults, self.requests = urlsplit(upstream).netloc, [], 0
        self.lock = threading.Lock()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            self.server.requests += 1
            fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request("GET", self.path, headers=dict(self.headers))
        answer = upstream.getresponse()
        body = fault if isinstance(fault, bytes) else answer.read()
        self.send_response(200 if isinstance(fault, bytes) else answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if fault == "cut" else body)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def proxy(archive):
    server = Proxy(archive.endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("eojob.store._LONGEST_PAUSE", 0.02)


@pytest.mark.parametrize("faults", [[503, 503], [429], [500, 502, 504], ["cut"], ["cut", 503, "cut"]])
def test_requests_are_repeated(archive, proxy, settings, prefix, faults):
    archive.put(f"{prefix}x", b"0123456789" * 1000)
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=3)), 2)
    proxy.faults = list(faults)
    assert store.read(f"{prefix}x", 10, 5000) == b"0123456789" * 500
    assert proxy.requests == len(faults) + 1
    proxy.faults = list(faults)
    assert store.sizes(prefix) == {"x": 10000}


@pytest.mark.parametrize("fault, words", [(503, "answered 503"), ("cut", "does not answer")])
def test_repeats_end(archive, proxy, settings, prefix, fault, words):
    archive.put(f"{prefix}x", b"0123456789")
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=2)), 2)
    proxy.faults = [fault] * 3
    with pytest.raises(StoreError, match=words):
        store.read(f"{prefix}x", 0, 10)
    assert proxy.requests == 3


def test_refusals_are_not_repeated(archive, proxy, settings, prefix):
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, profile="wrong")), 2)
    with pytest.raises(StoreError, match="renew the keys"):
        store.sizes(prefix)
    with pytest.raises(StoreError, match="not in bucket"):
        Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint)), 2).read(f"{prefix}none", 0, 10)
    assert proxy.requests == 2


@pytest.mark.parametrize("page, words", [
    (b"<html>hello</html>", "does not speak S3"), (b"<!doctype html><p>hello", "S3 endpoint|speak S3")])
def test_what_does_not_speak_s3(proxy, settings, prefix, page, words):
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint)), 2)
    proxy.faults = [page] * 9
    with pytest.raises(StoreError, match=words):
        store.sizes(prefix)


def test_a_job_on_a_bad_day(archive, proxy, products, settings, prefix, tmp_path):
    archive.upload(products[0], prefix)
    proxy.faults = [429, "cut", None, 503, None, "cut", 500, None, "cut"]
    job = tmp_path / "job.json"
    job.write_text(json.dumps(dict(settings, endpoint_url=proxy.endpoint, retries=5)))
    assert runner.run_job(image_processing.process, str(job), None, schedule.SerialCommunicator()) == 0
    assert (Path(settings["output_dir"]) / f"{product_name(26)}.tif").exists()

"""What a store does on bad days, by a proxy in front of the real one: 429, 503, cut bodies, and no S3 at all."""

import email.utils
import json
import time
from pathlib import Path

import image_processing
import pytest
from eojob import jobfile, runner, schedule
from eojob.store import Store, StoreError
from eojob_products import product_name


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("eojob.store._LONGEST_PAUSE", 0.02)


@pytest.mark.parametrize("faults", [[503, 503], [429], [500, 502, 504], ["cut"], ["cut", 503, "cut"]])
def test_requests_are_repeated(archive, proxy, settings, prefix, faults):
    archive.put(f"{prefix}x", b"0123456789" * 1000)
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=3)), 2)
    proxy.faults = list(faults)
    assert store.read(f"{prefix}x", 10, 5000)[0] == b"0123456789" * 500
    assert proxy.requests == len(faults) + 1
    proxy.faults = list(faults)
    assert store.sizes(prefix) == {"x": 10000}


def test_only_the_rest_of_a_broken_range_is_asked_for(archive, proxy, settings, prefix):
    body = bytes(range(256)) * 40
    archive.put(f"{prefix}x", body)
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=5)), 2)
    proxy.faults = ["cut", "cut", "cut"]
    data, answer = store.read(f"{prefix}x", 0, len(body))
    assert data == body and answer.requests == proxy.requests == 4
    assert proxy.sent == len(body)


def test_repeats_are_counted_anew_when_much_has_come(archive, proxy, settings, prefix, monkeypatch):
    monkeypatch.setattr("eojob.store._PROGRESS", 1000)
    archive.put(f"{prefix}x", b"0123456789" * 1000)
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=1)), 2)
    proxy.faults = ["cut", "cut", "cut"]  # 5000, 2500 and 1250 bytes come
    assert len(store.read(f"{prefix}x", 0, 10000)[0]) == 10000
    proxy.faults = ["cut"] * 9
    with pytest.raises(StoreError, match="does not answer"):
        store.read(f"{prefix}x", 0, 1000)


def test_an_answer_that_trickles_is_cut(archive, proxy, settings, prefix, monkeypatch):
    monkeypatch.setattr("eojob.store._SLOWEST", 10 ** 9)
    archive.put(f"{prefix}x", b"0123456789" * 1000)
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, retries=1, read_timeout=0.5)), 2)
    proxy.faults = ["trickle", "trickle"]
    with pytest.raises(StoreError, match="does not answer"):
        store.read(f"{prefix}x", 0, 10000)
    assert proxy.requests == 2


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that a store makes, which then take no time."""
    made = []

    def wait(seconds, stop):
        if seconds > 0:
            made.append(seconds)
    monkeypatch.setattr(Store, "_wait", staticmethod(wait))
    return made


@pytest.mark.parametrize("after, least", [
    ("7", 6), (email.utils.formatdate(time.time() + 36000, usegmt=True), 299), ("100000", 299)],
    ids=["seconds", "date", "too long"])
def test_retry_after_is_obeyed(archive, proxy, settings, prefix, pauses, after, least):
    archive.put(f"{prefix}x", b"0123456789")
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint)), 2)
    proxy.faults = [(429, after)]
    assert store.read(f"{prefix}x", 0, 10)[0] == b"0123456789"
    assert max(pauses) > least
    pauses.clear()
    store.sizes(prefix)
    assert max(pauses) > least, "the pause is all threads', not that request's alone"


def test_an_object_that_was_replaced_meanwhile_is_refused(archive, proxy, settings, prefix):
    archive.put(f"{prefix}x", b"0123456789")
    store = Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint)), 2)
    proxy.faults = ["cut"]
    with pytest.raises(StoreError, match="was replaced while it was read"):
        store.stream(f"{prefix}x", 0, 10, lambda block: archive.put(f"{prefix}x", b"abcdefghij"))


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

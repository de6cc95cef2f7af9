"""Short ranges by obstore, and by boto3 where obstore gives none."""

import threading
import time

import pytest
from eojob import jobfile, short_reads
from eojob.store import StoppedError, Store, StoreError

needs_obstore = pytest.mark.skipif(not short_reads.AVAILABLE, reason="there is no obstore for this Python")
BODY = b"0123456789" * 1000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("eojob.store._LONGEST_PAUSE", 0.02)


@pytest.fixture
def key(archive, prefix):
    archive.put(f"{prefix}x", BODY)
    return f"{prefix}x"


@pytest.fixture
def by_boto3(monkeypatch):
    """The ranges that boto3 is asked for."""
    asked = []
    read = Store.read

    def counted(self, key, first, count, stop=None):
        asked.append((first, count))
        return read(self, key, first, count, stop)
    monkeypatch.setattr(Store, "read", counted)
    return asked


@pytest.fixture
def store(settings, proxy):
    """A store behind the proxy, of a job whose settings a test may change."""
    def make(**change):
        return Store(jobfile.parse(dict(settings, endpoint_url=proxy.endpoint, method="wavelet", **change)), 2)
    return make


@needs_obstore
def test_a_range_comes_at_once(archive, key, store, proxy, by_boto3):
    data, answer = store().read_short(key, 10, 25)
    assert data == BODY[10:35] and by_boto3 == []
    etag = archive.client.head_object(Bucket="eodata", Key=key)["ETag"].strip('"')
    assert answer == (1, etag) and proxy.requests == 1


@needs_obstore
@pytest.mark.parametrize("fault", [503, 429, "cut", b"<html>hello</html>"], ids=["503", "429", "cut", "no S3"])
def test_boto3_is_asked_when_it_goes_wrong(key, store, proxy, by_boto3, fault):
    proxy.faults = [fault]
    data, answer = store().read_short(key, 0, 5000)
    assert data == BODY[:5000] and by_boto3 == [(0, 5000)]
    assert answer.requests == proxy.requests == 2


@needs_obstore
def test_an_answer_that_trickles_is_cut(key, store, proxy, by_boto3, monkeypatch):
    monkeypatch.setattr("eojob.store._SLOWEST", 10 ** 9)
    proxy.faults = ["trickle"]
    assert store(read_timeout=0.5).read_short(key, 0, 5000)[0] == BODY[:5000] and len(by_boto3) == 1


@needs_obstore
def test_a_range_beyond_the_end_is_no_success(key, store, by_boto3):
    with pytest.raises(StoreError):
        store(retries=0).read_short(key, 9990, 20)
    assert by_boto3 == [(9990, 20)]


@needs_obstore
def test_after_some_failures_boto3_alone_is_asked(key, store, proxy):
    made = store(retries=0)
    for _ in range(3):
        proxy.faults = [503]
        assert made.read_short(key, 0, 10)[1].requests == 2
    asked = proxy.requests
    assert made.read_short(key, 0, 10)[1].requests == 1 and proxy.requests == asked + 1
    proxy.faults = [503]
    with pytest.raises(StoreError, match="answered 503"):
        made.read_short(key, 0, 10)


@needs_obstore
def test_failures_with_successes_between_do_not_add_up(key, store, proxy, by_boto3):
    made = store()
    for _ in range(4):
        proxy.faults = [503]
        made.read_short(key, 0, 10)
        made.read_short(key, 0, 10)
    assert len(by_boto3) == 4


@needs_obstore
def test_the_pause_that_the_store_asked_for_is_kept(key, store, proxy, monkeypatch):
    pauses = []
    monkeypatch.setattr(Store, "_wait", staticmethod(lambda seconds, stop: pauses.append(seconds)))
    made = store()
    proxy.faults = [503, (429, "7")]
    made.read_short(key, 0, 10)
    pauses.clear()
    made.read_short(key, 0, 10)
    assert len(pauses) == 1 and pauses[0] > 6


@needs_obstore
@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_is_overloaded_is_not_asked_again_at_once(key, store, proxy, monkeypatch, status):
    """obstore does not tell Retry-After, so boto3 asks, and no other thread of the rank either before that."""
    pauses = []
    monkeypatch.setattr("eojob.store._LONGEST_PAUSE", 20.0)
    monkeypatch.setattr(Store, "_wait", staticmethod(lambda seconds, stop: pauses.append(seconds)))
    made = store()
    proxy.faults = [status]
    made.read_short(key, 0, 10)
    made.read_short(key, 0, 10)
    before, by_boto3, next_one = pauses
    assert before <= 0 and by_boto3 > 0.5 and next_one > 0.5


@needs_obstore
def test_it_stops(key, store, proxy):
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        store().read_short(key, 0, 10, stop)
    assert proxy.requests == 0


def test_refusals_are_told_in_words(prefix, store):
    with pytest.raises(StoreError, match="renew the keys"):
        store(profile="wrong").read_short(f"{prefix}x", 0, 10)
    with pytest.raises(StoreError, match="not in bucket"):
        store().read_short(f"{prefix}none", 0, 10)


def test_boto3_does_without_it(key, store, by_boto3, monkeypatch):
    monkeypatch.setattr(short_reads, "AVAILABLE", False)
    assert store().read_short(key, 10, 25)[0] == BODY[10:35] and by_boto3 == [(10, 25)]


def test_long_ranges_are_left_to_boto3(key, store, by_boto3, monkeypatch):
    monkeypatch.setattr(short_reads, "LONGEST", 99)
    store().read_short(key, 0, 100)
    assert by_boto3 == [(0, 100)]


@needs_obstore
def test_keys_are_asked_for_again(key, store):
    """Credentials that are renewed (roles, tokens) are not kept for good."""
    made = store()._short_reads
    keys = made._keys()
    assert set(keys) == {"access_key_id", "secret_access_key", "token", "expires_at"}
    assert 0 < keys["expires_at"].timestamp() - time.time() <= 900

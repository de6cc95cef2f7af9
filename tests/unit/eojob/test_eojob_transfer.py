"""A product's objects on their way to local disk, by each of the programs that can fetch them."""

import contextlib
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eojob import catalogue, jobfile, s3cmd, transfer
from eojob.bands import BANDS
from eojob.errors import CorruptError, EojobError, ProductError
from eojob.store import Store
from eojob_products import band_file, make_safe, product_name
from eojob_support import BUCKET

NEEDED = ("B2", "B3", "B4")


@pytest.fixture
def fetching(archive, settings, prefix, tmp_path):
    """Start the transfer of the only product below the prefix."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        def start(begun_last=lambda: None, **changes):
            job = jobfile.parse(dict(settings, **changes))
            store = Store(job, 3)
            entry, = catalogue.describe_all(store, catalogue.product_prefixes(store, job), job.bands, 2)
            means = transfer.Means(store, pool, str(tmp_path), job.bands, {}, job.transfer)
            return transfer.FetchedProduct(means, entry, begun_last)
        yield start


@pytest.mark.parametrize("part", [1000, 16 * 1024 * 1024])
def test_every_object_is_there_and_verified(archive, products, prefix, fetching, monkeypatch, part):
    monkeypatch.setattr(transfer, "PART", part)
    archive.upload(products[0], prefix)
    with fetching() as source:
        source.wait()
        for band in NEEDED:
            assert Path(source.band_path(band)).read_bytes() == band_file(products[0], band).read_bytes()
        sizes = [path.stat().st_size for path in Path(source.folder).rglob("*") if path.is_file()]
        assert (source.bytes_fetched, source.verified) == (sum(sizes), "size, sha3_256")
        assert source.requests == sum(-(-size // part) for size in sizes)


def test_the_next_may_begin_with_the_last_band(archive, products, prefix, fetching):
    archive.upload(products[0], prefix)
    told = []
    with fetching(lambda: told.append("last")) as source:
        source.metadata()
        source.band_path("B2")
        source.band_path("B3")
        assert told == []
        source.band_path("B4")
        source.wait()
        assert told == ["last"]


def test_without_a_manifest_the_stores_etag_is_compared(archive, prefix, fetching, tmp_path, monkeypatch):
    safe = make_safe(tmp_path / "p", product_name(), manifest=False)
    archive.upload(safe, prefix)
    with fetching() as source:
        source.wait()
        assert source.verified == "size, md5"
    monkeypatch.setattr(transfer, "_digest", lambda path, algorithm: "0" * 32)
    with fetching() as source, pytest.raises(CorruptError, match="by the store's ETag"):
        source.wait()


def test_leaving_early_ends_the_transfer(archive, products, prefix, fetching):
    archive.upload(products[0], prefix)
    with pytest.raises(KeyError), fetching():
        raise KeyError
    source = fetching()
    source.__exit__()
    source.__exit__()
    with pytest.raises(EojobError):
        source.wait()


def test_a_disk_that_is_full_is_no_fault_of_the_network(archive, products, prefix, fetching, monkeypatch):
    archive.upload(products[0], prefix)

    def full(stream, *_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(Store, "stream", lambda self, key, first, count, take, stop: take(b"x"))
    original = open

    @contextlib.contextmanager
    def opened(path, mode, **more):
        with original(path, mode, **more) as stream:
            yield type("Full", (), {"write": full, "seek": stream.seek})() if mode == "r+b" else stream
    monkeypatch.setattr(transfer, "open", opened, raising=False)
    with fetching() as source, pytest.raises(ProductError, match="scratch_dir: .*No space left"):
        source.wait()


@pytest.fixture
def s3cfg(archive, tmp_path, monkeypatch):
    """s3cmd on the PATH, configured for the archive."""
    assert (Path(sys.executable).parent / "s3cmd").exists() or shutil.which("s3cmd"), "s3cmd is needed for this test"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    host = archive.endpoint[len("http://"):]
    (tmp_path / ".s3cfg").write_text(
        f"[default]\naccess_key = {archive.access}\nsecret_key = {archive.secret}\nhost_base = {host}\n"
        f"host_bucket = {host}\nuse_https = False\n")


def test_by_s3cmd(archive, products, prefix, fetching, s3cfg):
    archive.upload(products[0], prefix)
    with fetching(transfer="s3cmd") as source:
        source.wait()
        for band in BANDS[1:4]:
            assert Path(source.band_path(band)).read_bytes() == band_file(products[0], band).read_bytes()
        assert source.verified == "size, sha3_256" and source.requests == 6


def test_s3cmds_own_words_when_it_fails(archive, products, prefix, fetching, s3cfg):
    archive.upload(products[0], prefix)
    source = fetching(transfer="s3cmd", bucket=BUCKET)
    with source:
        source.wait()
    Path.home().joinpath(".s3cfg").write_text("[default]\naccess_key = a\nsecret_key = b\n")
    with pytest.raises(EojobError, match="s3cmd get .* ended with exit code .*; try it by hand"):
        s3cmd.get(source._means.store.job._replace(retries=0, bucket="no.such.bucket.of.ours"), "key",
                  str(Path.home() / "x"), source._ended.__class__())


def test_s3cmd_has_to_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EojobError, match="needs the program s3cmd on every node"):
        s3cmd.check()
    (tmp_path / "s3cmd").write_text("#!/bin/sh\n")
    (tmp_path / "s3cmd").chmod(0o755)
    with pytest.raises(EojobError, match="needs ~/.s3cfg"):
        s3cmd.check()

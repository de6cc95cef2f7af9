"""A small archive in the benchmark's own store."""

import contextlib
import os
import signal

import pytest
from eojob_products import make_safe, product_name
from job import store

PREFIX = "Sentinel-2/MSI/L1C/2025/02/01/"


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """The folder above Sentinel-2/, with three products of other pixels."""
    root = tmp_path_factory.mktemp("archive")
    for day in (1, 2, 3):
        make_safe(root / PREFIX, product_name(day), seed=day)
    return root


@pytest.fixture(scope="session")
def server(archive, tmp_path_factory):
    """The store with that archive."""
    before = dict(os.environ)
    with store.running(tmp_path_factory.mktemp("store"), archive) as running:
        yield running
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)  # a polite end takes 25 s, and the data is thrown away
    os.environ.clear()
    os.environ.update(before)

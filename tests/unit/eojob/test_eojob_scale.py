"""A million keys and a hundred thousand products: what they cost in requests, files and memory. No clock is looked at.

The real server, which could not be filled in a test's time, is in test_eojob_catalogue.
"""

import os
from types import SimpleNamespace

from eojob import catalogue, ledger, report
from eojob.store import Store
from eojob_support import FILES, python

KEYS = 67          # of a product
PAGE = 1000
BANDS = ("B2", "B3", "B4")


def name(number):
    return f"S2C_MSIL1C_20250228T031721_N0511_R{number // 1000:03d}_T48PVS_20250228T{number % 1000:06d}"


class EndlessStore:
    """Stands in for the size of a store: the keys of `count` products, in order, made as they are listed."""

    def __init__(self, count):
        granule = "GRANULE/L1C_T48PVS_A002519_20250228T032919/"
        paths = ["MTD_MSIL1C.xml", "manifest.safe", granule + "MTD_TL.xml"]
        paths += [f"{granule}IMG_DATA/T48PVS_20250228T031721_B{band:02d}.jp2" for band in range(1, 13)]
        self.paths = sorted(paths + [f"{granule}QI_DATA/MSK_{n:03d}.jp2" for n in range(KEYS - len(paths))])
        self.prefixes = [f"archive/{name(number)}.SAFE/" for number in range(count)]
        self.job = SimpleNamespace(page_size=PAGE)
        self.requests = 0

    def pages(self, prefix, delimiter="", start_after=""):
        page = []
        for product in self.prefixes:
            if not product.startswith(prefix[:len(product)]) or product < start_after:
                continue
            for path in self.paths:
                key = product + path
                if key.startswith(prefix) and key > start_after:
                    if len(page) == PAGE:
                        yield self._page(page, True)
                        page = []
                    page.append({"Key": key, "Size": 1000 + len(path), "ETag": f'"{len(self.paths):032x}"'})
        yield self._page(page, False)

    def _page(self, entries, truncated):
        self.requests += 1
        return {"Contents": entries, "IsTruncated": truncated}


MILLION = """
import resource, sys
sys.path[:0] = [{files!r}, {tests!r}]
from test_eojob_scale import BANDS, EndlessStore, catalogue
store = EndlessStore(15000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
entries = catalogue.describe_all(store, store.prefixes, BANDS, threads=2)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(entries), sum(not entry.fault and len(entry.objects) == 6 for entry in entries), store.requests, grown)
"""


def test_a_million_keys_need_their_pages_and_the_memory_of_the_results():
    count = 15000
    done = python("-c", MILLION.format(files=str(FILES), tests=os.path.dirname(os.path.abspath(__file__))))
    assert done.returncode == 0, done.stderr
    found, complete, requests, kilobytes = map(int, done.stdout.split())
    assert found == complete == count
    assert requests <= count * KEYS // PAGE + 2 * 2 * 4, "at most two pages more in each run of the two threads"
    assert kilobytes < count * 4 + 40000, "4 kB a product and some pages; all keys would be ten times that"


def test_of_few_that_are_left_only_their_pages_are_listed():
    store = EndlessStore(3000)
    wanted = [store.prefixes[number] for number in (0, 1, 2, 1400, 1401, 2999)]
    assert len(catalogue.describe_all(store, wanted, BANDS, threads=8)) == 6
    assert store.requests <= 4


class DeafStore(EndlessStore):
    """As some old stores: StartAfter is not obeyed."""

    def pages(self, prefix, delimiter="", start_after=""):
        return super().pages(prefix, delimiter)


class UnorderedStore(EndlessStore):
    """Lists in an order of its own, a product in pieces."""

    def pages(self, prefix, delimiter="", start_after=""):
        keys = [entry for page in super().pages(prefix, delimiter) for entry in page["Contents"]]
        keys = keys[1::2] + keys[::2]
        for first in range(0, len(keys), PAGE):
            yield self._page(keys[first:first + PAGE], first + PAGE < len(keys))


def test_stores_with_an_order_of_their_own_cost_requests_but_no_product():
    for kind in (DeafStore, UnorderedStore):
        store = kind(60)
        wanted = store.prefixes[:5] + store.prefixes[30:32] + store.prefixes[59:]
        entries = catalogue.describe_all(store, wanted, BANDS, threads=2)
        assert sorted(entry.prefix for entry in entries) == wanted
        assert not any(entry.fault for entry in entries)


def test_a_hundred_thousand_records_of_many_ranks(tmp_path):
    count, ranks, out = 100000, 400, str(tmp_path)
    names = [name(number) for number in range(count)]
    for number in range(0, count, 50):
        (tmp_path / (names[number] + ".tif")).write_bytes(b"123")
    ledger.write_run(out, {"run": "r1", "state": "running", "total": count, "ranks": ranks, "started_epoch": 1.0,
                           "ended_epoch": None, "products": [{"product": each, "bytes": 5} for each in names]})
    for rank in range(ranks):
        ledger.Ledger(out, "r1", rank).record(*({
            "product": names[number], "state": "done" if number % 50 == 0 else "failed", "run": "r1", "rank": rank,
            "host": "h", "ended": "t", "bytes": 5, "parameters": "p", "output": names[number] + ".tif",
            "output_bytes": 3, "seconds": {"total": 2.0}, "error": "x" * 40} for number in range(rank, count, ranks)))
    status = report.status(out)
    assert (status["done"], status["failed"], status["remaining"]) == (count // 50, count * 49 // 50, 0)
    assert status["bytes_fetched"] == status["bytes_total"] == 5 * count
    done = ledger.last_done(out, ledger.IDENTITY)
    assert sorted(done) == sorted(names[::50])
    (tmp_path / (names[50] + ".tif")).write_bytes(b"longer")
    (tmp_path / (names[100] + ".tif")).unlink()
    assert set(done) - set(ledger.good(done, out, "p")) == {names[50], names[100]}
    assert ledger.good(done, out, "other parameters") == {}


def test_run_json_stays_small_and_the_list_is_written_once(tmp_path):
    out = str(tmp_path)
    products = [{"product": name(number), "bytes": number} for number in range(1000)]
    ledger.write_run(out, {"run": "r1", "state": "running", "total": 1000, "products": products})
    listed = tmp_path / "ledger" / "r1" / "products.jsonl"
    written = listed.stat().st_mtime_ns, listed.stat().st_ino
    run = ledger.read_run(out, "r1")
    ledger.write_run(out, dict(run, state="finished"))
    assert (listed.stat().st_mtime_ns, listed.stat().st_ino) == written
    assert (tmp_path / "ledger" / "r1" / "run.json").stat().st_size < 200
    assert ledger.product_bytes(out, "r1") == {each["product"]: each["bytes"] for each in products}
    assert report.status(out)["bytes_total"] == sum(range(1000))


def test_store_has_what_the_stand_in_has():
    code, stand_in = Store.pages.__code__, EndlessStore.pages.__code__
    assert code.co_varnames[:code.co_argcount] == stand_in.co_varnames[:stand_in.co_argcount]

"""Describing many products in few requests, against a real S3 server: what is found, and how often it is asked."""

import threading

import pytest
from eojob import catalogue, jobfile, safe
from eojob.store import Store
from eojob_products import product_name

GRANULE = "GRANULE/L1C_T48PVS_A002519_20250228T032919/"
PATHS = ["MTD_MSIL1C.xml", "manifest.safe", GRANULE + "MTD_TL.xml", GRANULE + "IMG_DATA/T48PVS_20250228T031721_B02.jp2",
         GRANULE + "IMG_DATA/T48PVS_20250228T031721_B03.jp2", "HTML/star_bg.jpg"]
NEEDED = {"product", "manifest", "tile", "B2"}


class CountingStore(Store):
    """Counts the pages that are asked for and the keys in them."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.requests = self.keys = 0
        self._lock = threading.Lock()

    def pages(self, *arguments, **keywords):
        for page in super().pages(*arguments, **keywords):
            with self._lock:
                self.requests += 1
                self.keys += len(page.get("Contents", ()))
            yield page


@pytest.fixture
def counting(settings):
    def make(**change):
        return CountingStore(jobfile.parse(dict(settings, **change)), 4)
    return make


def put_products(archive, prefix, days, paths=PATHS):
    """The prefixes of products whose objects differ in size."""
    prefixes = [f"{prefix}{product_name(day)}.SAFE/" for day in days]
    for day, each in zip(days, prefixes):
        for path in paths:
            archive.put(each + path, b"x" * (day + len(path)))
    return prefixes


def test_many_products_in_few_requests(archive, counting, prefix):
    prefixes = put_products(archive, prefix, range(1, 13))
    archive.put(prefixes[3] + "HTML/", b"")  # a folder's own key
    for size, most in ((1000, 1), (10, 9)):
        store = counting(page_size=size)
        entries = catalogue.describe_all(store, prefixes, ("B2",), 1)
        assert sorted(entry.prefix for entry in entries) == prefixes
        assert store.requests <= most
        for entry in entries:
            day = prefixes.index(entry.prefix) + 1
            assert entry.fault == "" and set(entry.objects) == NEEDED
            assert all(item.size == day + len(item.path) for item in entry.objects.values())
        assert entries == catalogue.largest_first(entries[::-1])


def test_etags_are_those_of_the_store(archive, counting, prefix):
    only, = put_products(archive, prefix, [5])
    entry, = catalogue.describe_all(counting(), [only], ("B2",), 4)
    for item in entry.objects.values():
        assert archive.client.head_object(Bucket="eodata", Key=only + item.path)["ETag"] == f'"{item.etag}"'


def test_threads_find_the_same(archive, counting, prefix):
    prefixes = put_products(archive, prefix, range(1, 13))
    alone, store = counting(page_size=7), counting(page_size=7)
    one = catalogue.describe_all(alone, prefixes, ("B2",), 1)
    many = catalogue.describe_all(store, prefixes, ("B2",), 4)
    assert [entry[:3] for entry in one] == [entry[:3] for entry in many]
    assert alone.requests <= store.requests


@pytest.mark.parametrize("size", [2, 5, 6, 7, 20])
def test_a_gap_of_done_products_is_skipped(archive, counting, prefix, size):
    prefixes = put_products(archive, prefix, range(1, 21))
    wanted = [prefixes[0], prefixes[1], prefixes[18]]
    store = counting(page_size=size)
    entries = catalogue.describe_all(store, wanted, ("B2",), 1)
    assert sorted(entry.prefix for entry in entries) == wanted
    assert all(set(entry.objects) == NEEDED for entry in entries)
    needed = -(-len(PATHS) * 2 // size) + -(-len(PATHS) // size)  # pages of the two runs without the gap
    assert store.requests <= needed + 2, "each run may end one page later, where it sees that it has ended"


def test_scattered_products_cost_a_request_each_at_most(archive, counting, prefix):
    prefixes = put_products(archive, prefix, range(1, 21))
    store = counting(page_size=len(PATHS) + 1)
    assert len(catalogue.describe_all(store, prefixes[::5], ("B2",), 1)) == 4
    assert store.requests <= 4


def test_faults_are_looked_at_once_more_and_recorded(archive, counting, prefix):
    prefixes = put_products(archive, prefix, [1, 3])
    torn, = put_products(archive, prefix, [2], PATHS[:3])
    gone = f"{prefix}{product_name(4)}.SAFE/"
    wrong = f"{prefix}S2A_MSIL2A_X.SAFE/"
    store = counting()
    entries = {entry.prefix: entry
               for entry in catalogue.describe_all(store, [*prefixes, torn, gone, wrong], ("B2",), 2)}
    assert [entries[each].fault for each in prefixes] == ["", ""]
    assert entries[torn].fault == "the product in the store is not complete: band B2 is missing"
    assert "MTD_MSIL1C.xml is missing" in entries[gone].fault
    assert "not the name of a Sentinel-2 Level-1C product" in entries[wrong].fault
    assert store.requests == 3, "the run, and each that seems to be incomplete"


def test_neighbours_with_like_names_and_other_folders(archive, counting, prefix):
    """A store that walks folders gives NAME.SAFE/ before NAME.SAFE.zip, one that sorts keys after it."""
    prefixes = put_products(archive, prefix, [1, 2, 3])
    for each in prefixes:
        archive.put(each.rstrip("/") + ".zip", b"z")
        archive.put(each.rstrip("/") + "-notes/x", b"z")
    elsewhere = put_products(archive, prefix + "01/", [2])
    for size in (1, 3, 1000):
        entries = catalogue.describe_all(counting(page_size=size), prefixes + elsewhere, ("B2",), 2)
        assert sorted(entry.prefix for entry in entries) == sorted(prefixes + elsewhere)
        assert all(set(entry.objects) == NEEDED and not entry.fault for entry in entries)


def test_engines_ask_for_more(archive, counting, prefix):
    prefixes = put_products(archive, prefix, [1, 2])
    entries = catalogue.describe_all(counting(), prefixes, ("B2",), 1, also=(r"HTML/.*", "nothing"))
    assert all(entry.objects["HTML/star_bg.jpg"].path == "HTML/star_bg.jpg" for entry in entries)


def test_slices_are_contiguous_and_even():
    names = [f"p{number:03d}" for number in range(10)]
    parts = catalogue.slices(names, 4)
    assert [name for part in parts for name in part] == names
    assert sorted(map(len, parts)) == [2, 2, 3, 3]
    assert sorted(map(len, catalogue.slices(names[:2], 3))) == [0, 1, 1]


def test_nothing_to_describe(counting):
    store = counting()
    assert catalogue.describe_all(store, [], ("B2",), 4) == []
    assert store.requests == 0


def test_largest_first_then_by_name():
    def entry(name, size):
        return catalogue.Entry(name, name, {"B2": safe.Item("x", size, "")}, 0.0, "")
    entries = [entry("b", 1), entry("a", 1), entry("c", 2)]
    assert [each.name for each in catalogue.largest_first(entries)] == ["c", "a", "b"]

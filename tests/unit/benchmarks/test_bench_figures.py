"""Medians, shares and the page, from runs whose numbers are given."""

import copy

import pytest
from job import figures, results
from job.figures import Summary


def product(name, rank, started, ended, **seconds):
    return {"product": name, "rank": rank, "started": started, "ended": ended, "bytes": 300_000_000, "requests": 20,
            "peak_memory": 200_000_000 + rank, "output_bytes": 105_000_000,
            "seconds": {"total": ended - started, **seconds}}


LIMIT = {"a": 45.0, "b": 50.0, "c": 37.0, "d": 18.0}


def run(method, wall, products):
    return {"method": method, "wall": wall, "store_cpu": 2.0, "products": products,
            "passed": {"bytes": 4_000_000, "requests": 8, "cpu_seconds": 1.0},
            "limit": dict(LIMIT) if method == "exact" else {}}


PRODUCTS = [product("a", 0, 100.0, 150.0, wait=4.0, decode=45.0), product("c", 0, 150.0, 190.0, wait=1.0, decode=38.0),
            product("b", 1, 101.0, 160.0, wait=5.0, decode=53.0), product("d", 1, 160.0, 180.0, wait=0.5, decode=19.0)]


@pytest.fixture
def session():
    walls = [(100.0, 170.0), (110.0, 220.0), (100.0, 300.0)]
    groups = [{"round": number, "profile": "quota", "commit": "abc",
               "runs": [run("exact", ours, copy.deepcopy(PRODUCTS)), run("reference", theirs, PRODUCTS)]}
              for number, (ours, theirs) in enumerate(walls)]
    return {"size": 10980, "products": 4, "ranks": 2, "machine": "2 cores", "versions": {"GDAL": "3"},
            "command": "python -m job", "groups": groups}


def test_the_ratio_is_the_median_of_pairs_not_of_sides(session):
    assert Summary(session, "quota").ratio("exact") == pytest.approx(2.0)  # of 1.7, 2.0 and 3.0
    assert Summary(session, "quota").ratio("wavelet") is None
    assert Summary(session, "gigabit").ratio("exact") is None


def test_no_job_is_further_ahead_than_one_that_only_decodes(session):
    # 150 s of decoding are 75 s for two ranks; the reference takes 170, 220 and 300 s
    assert Summary(session, "quota").most("exact") == pytest.approx(220 / 75)
    session["groups"][1]["runs"][0]["limit"]["a"] += 50
    assert Summary(session, "quota").most("exact") == pytest.approx(170 / 75), "of 170 / 75, 220 / 100 and 300 / 75"
    assert Summary(session, "quota").most("wavelet") is None


def test_the_share_of_the_limit_begins_with_the_first_products(session):
    # 150 s of decoding in 190 - 104 + 180 - 106 = 160 s
    assert figures.limit_share(run("exact", 100, PRODUCTS)) == pytest.approx(150 / 160)
    assert figures.limit_share(run("reference", 100, PRODUCTS)) is None
    assert figures.decoder_share(run("exact", 100, PRODUCTS)) == pytest.approx(155 / 160)
    assert Summary(session, "quota").limit_share("exact") == pytest.approx(150 / 160)
    # the second rank is idle for 10 s
    assert Summary(session, "quota").limit_share("exact", to_the_end=True) == pytest.approx(150 / 170)


def test_efficiency_counts_what_ranks_are_idle(session):
    assert figures.efficiency(run("exact", 100, PRODUCTS), 2) == pytest.approx((90 + 79) / (2 * 90))
    assert figures.efficiency(run("exact", 100, PRODUCTS), 4) == pytest.approx((90 + 79) / (4 * 90)), "two got nothing"


def test_few_products_leave_ranks_idle_in_any_order():
    # of 50, 40, 59 and 20 s two ranks get 59 + 20 and 50 + 40
    assert figures.best_efficiency(run("exact", 100, PRODUCTS), 2) == pytest.approx(169 / (2 * 90))
    assert figures.best_efficiency(run("exact", 100, PRODUCTS[:1]), 4) == pytest.approx(1 / 4)


def test_a_product_that_is_fetched_ahead_makes_no_rank_twice_as_busy():
    ahead = [product("a", 0, 100.0, 150.0), product("b", 0, 130.0, 190.0)]
    assert figures.efficiency(run("exact", 100, ahead), 1) == pytest.approx(1)


def test_the_network_counts_once_the_pipeline_is_full():
    assert figures.network_share(run("exact", 100, PRODUCTS)) == pytest.approx(1.5 / 60)
    assert figures.network_share(run("exact", 100, PRODUCTS[:1])) is None


def test_phases_and_memory_of_methods_that_say_nothing_of_them_are_left_out():
    quiet = run("exact", 100, [{**each, "peak_memory": None} for each in PRODUCTS])
    assert figures.peak_memory(quiet) is None and figures.phase(quiet, "finish") is None
    assert figures.peak_memory(run("exact", 100, PRODUCTS)) == 200_000_001
    assert figures.phase(quiet, "decode") == pytest.approx((45 + 38 + 53 + 19) / 4)


def test_the_rigging_is_a_share_of_the_cores():
    assert figures.rigging_share(run("exact", 100.0, PRODUCTS), 2) == pytest.approx(3 / 200)
    assert figures.limit_share_of_rest(run("exact", 100.0, PRODUCTS), 2) == pytest.approx(150 / 160 / (197 / 200))
    assert figures.limit_share_of_rest(run("reference", 100.0, PRODUCTS), 2) is None


def row(page, *cells):
    """The one line of the page that begins with these cells."""
    found, = [line for line in page.splitlines() if line.startswith("| " + " | ".join(cells) + " |")]
    return found


def test_the_page_says_what_is_met(session):
    page = results.page([session])
    assert row(page, "2", "4", "CDSE quota: 4 connections of 20 MB/s", "exact", "**2.00**").endswith(
        "| ≥ 2.1 | **not met** | 2.93 | 100.0 | 220.0 | 3 |")
    assert "| **93.8%** | ≥ 97% | **not met** |" in page
    for group in session["groups"]:
        group["runs"][0]["wall"] /= 2
        group["runs"][0]["limit"]["a"] = 55.0
    better = results.page([session])
    assert "| **4.00** | ≥ 2.1 | met |" in better and "| **100.0%** | ≥ 97% | met |" in better
    assert "200 | < 400 | met" in row(better, "2", "4", "CDSE quota: 4 connections of 20 MB/s", "exact", "1.0")


def test_the_plots_are_drawn(session, tmp_path):
    from job import plots
    plots.write([session], tmp_path / "plots")
    drawn = {path.name: path.read_text() for path in (tmp_path / "plots").iterdir()}
    assert set(drawn) == {"ratio.svg", "phases.svg"}
    assert all("</svg>" in text for text in drawn.values())
    plots.write([session], tmp_path / "again")
    assert drawn == {path.name: path.read_text() for path in (tmp_path / "again").iterdir()}, "the same every time"

"""The sharing of products: simulated cases that can be worked out by hand, and real ranks that sleep a little."""

import json
import re

import numpy as np
import pytest
from schedule import command, measured, plots, service, simulation
from schedule.launch import launch
from schedule.page import page
from schedule.rows import Row
from schedule.task import WAYS, Product
from schedule.workload import Costs, generator, workload

COSTS = Costs(seconds_per_mb=0.145, spread=0.03, overhead=1.0, rate=40.0, needed=0.42, bands=3, service=3e-4, poll=0.01)
FREE = COSTS._replace(overhead=0.0, rate=1e9, service=0.0, poll=0.0)  # but for decoding
TINY = 1e-3  # of a product's seconds


def ours(ranks, megabytes, work, costs, ahead):
    return simulation.ours(ranks, megabytes, work, costs, ahead, np.random.default_rng(0))


def test_the_archives_products():
    work = workload(500, COSTS, generator(4, 125, seed=0))
    sizes = [entry.size() / 1e6 / COSTS.needed for entry in work.entries]
    assert min(sizes) >= 49.9 and max(sizes) <= 900 and sizes != sorted(sizes, reverse=True)
    assert 280 < np.median(sizes) < 320
    per_mb = [work.decode[entry.name] / (entry.size() / 1e6) for entry in work.entries]
    assert np.mean(per_mb) == pytest.approx(0.145, rel=0.01) and np.std(per_mb) == pytest.approx(0.00435, rel=0.1)
    assert workload(500, COSTS, generator(4, 125, seed=0)) == work
    assert workload(500, COSTS, generator(4, 125, seed=1)) != work


def test_static_shares_have_as_many_products_each():
    assert simulation.static(2, [1.0, 2.0, 3.0, 10.0]) == 13
    assert simulation.static(3, [1.0, 2.0, 3.0, 1.0]) == 3  # two for the first rank


def test_a_pool_gives_the_next_to_who_is_free():
    assert simulation.executor(2, [5.0, 3.0, 2.0, 1.0]) == 6


def test_ours_gives_the_next_to_who_asks():
    assert ours(2, [0.0] * 4, [4.0, 3.0, 2.0, 1.0], FREE, 0.0) == 5
    assert ours(3, [0.0], [4.0], FREE, 0.0) == 4


def test_rank_0_answers_one_question_after_the_other():
    assert ours(3, [0.0] * 3, [1.0] * 3, FREE._replace(service=0.5), 0.0) == 2.5
    assert ours(3, [0.0] * 3, [1.0] * 3, FREE._replace(poll=0.1), 0.0) == pytest.approx(1.1, abs=0.1)


def test_what_is_asked_for_ahead_is_fetched_meanwhile():
    costs = FREE._replace(overhead=1.0, rate=10.0)
    # the first of three bands is there after 1 s, the product is decoded after 7 and done after 8; the same again
    assert ours(1, [30.0, 30.0], [6.0, 6.0], costs, 0.0) == pytest.approx(16)
    assert ours(1, [30.0, 30.0], [6.0, 6.0], costs, 0.5) == pytest.approx(15)
    # decoding is not done before the last byte is there
    assert ours(1, [300.0], [6.0], costs, 0.5) == pytest.approx(31)


def test_with_one_product_for_each_rank_all_is_as_good_as_can_be():
    found = simulation.efficiencies(3, 1, FREE, seed=0)
    for way in ("static", "eojob", "at once", "at the end"):
        assert found[way] == pytest.approx(found["best"], rel=1e-6)
    assert found["executor"] < found["best"] < 1  # as one of its ranks does none


def test_ours_is_ahead_of_the_static_share():
    found = simulation.efficiencies(16, 10, COSTS, seed=0)
    assert found["static"] < 0.9 < found["eojob"] < found["best"] <= 1
    assert found["at the end"] < found["eojob"]  # as it fetches nothing ahead
    assert simulation.efficiencies(16, 10, COSTS, seed=0) == found


@pytest.fixture(scope="module")
def runs():
    """(way, products, what the ranks told) of each real run, and the efficiencies."""
    seen = []
    real = measured.run

    def seeing(ranks, way, products):
        told = real(ranks, way, products)
        seen.append((way, products, told))
        return told
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "run", seeing)
        found = measured.measure(2, 3, COSTS, TINY, rounds=1)
    return seen, found


def test_real_ranks_sleep_for_every_product_once(runs):
    seen, found = runs
    assert [way for way, _, _ in seen] == list(WAYS)
    for _, _, told in seen:
        assert sorted(name for _, name in told["slept"]) == [f"P{number:06d}" for number in range(6)]
        assert len(told["seconds"]) == 2
    assert len(found) == 1 and found[0].keys() == {*WAYS, "best"}
    assert all(0 < value <= 1 for value in found[0].values())


def test_who_sleeps_is_as_the_way_says(runs):
    told = {way: told for way, _, told in runs[0]}
    assert [rank for rank, _ in told["static"]["slept"]] == [0, 0, 0, 1, 1, 1]
    assert {rank for rank, _ in told["executor"]["slept"]} == {1}
    assert {rank for rank, _ in told["eojob"]["slept"]} <= {0, 1}


def test_the_largest_come_first_but_for_the_static_share(runs):
    products = {way: products for way, products, _ in runs[0]}
    work = workload(6, COSTS, generator(2, 3, seed=0))
    assert [product.name for product in products["static"]] == [entry.name for entry in work.entries]
    largest = [entry.name for entry in sorted(work.entries, key=lambda entry: -entry.size())]
    assert [product.name for product in products["eojob"]] == largest
    assert products["executor"] == products["eojob"]
    for name, decode, rest in products["eojob"]:
        assert (decode, rest) == pytest.approx((work.decode[name] * TINY, COSTS.overhead * TINY))


def test_the_order_of_ways_alternates(monkeypatch):
    order = []

    def told(ranks, way, products):
        order.append(way)
        return {"seconds": [100.0] * ranks, "slept": [(0, product.name) for product in products]}
    monkeypatch.setattr(measured, "run", told)
    measured.measure(2, 2, COSTS, TINY, rounds=3)
    assert order == [*WAYS, *WAYS[::-1], *WAYS]


def test_efficiency_counts_all_ranks_until_the_last_has_ended():
    products = [Product("a", 3.0, 1.0), Product("b", 2.0, 0.0)]
    told = {"seconds": [4.0, 2.5], "slept": [(0, "a"), (1, "b")]}
    assert measured.efficiency(told, products) == pytest.approx(6 / 8)


@pytest.mark.parametrize("slept", [["a"], ["a", "b", "b"], ["a", "c"]])
def test_products_that_were_left_out_or_done_twice_are_no_result(slept):
    told = {"seconds": [4.0], "slept": [(0, name) for name in slept]}
    with pytest.raises(RuntimeError, match="of 2 products"):
        measured.efficiency(told, [Product("a", 1.0, 0.0), Product("b", 1.0, 0.0)])


def test_one_rank_that_fails_ends_all(tmp_path):
    file = tmp_path / "products.json"
    file.write_text(json.dumps([["a", "no number", 0.0]]))  # which only the rank that sleeps for it finds
    with pytest.raises(RuntimeError, match=r"(?s)schedule.sleeping: 2 ranks ended with \d+:.*TypeError"):
        launch(2, "schedule.sleeping", "static", str(file), timeout=300)


def test_the_time_of_a_question_is_the_best_repeat(monkeypatch):
    assert service.measure(repeats=1, questions=20) > 0
    seconds = iter([3e-4, 1e-4, 2e-4])
    monkeypatch.setattr(service, "launch", lambda *_, **__: next(seconds))
    assert service.measure(repeats=3) == 1e-4


ROWS = [Row(True, 4, 10, [{"static": 0.8, "executor": 0.73, "eojob": value, "best": 1.0}
                          for value in (0.9, 0.98, 0.96)]),
        Row(False, 4, 10, [{"static": 0.79, "executor": 0.74, "eojob": 0.98, "at once": 0.97, "at the end": 0.94,
                            "best": 1.0}]),
        Row(False, 1024, 10, [{"static": 0.66, "executor": 0.98, "eojob": 0.974, "at once": 0.96, "at the end": 0.93,
                               "best": 1.0}])]


def test_the_page_says_what_is_wanted_and_whether_it_is_met():
    text = page(ROWS, COSTS, 0.1, "measured by hand", "python -m schedule --seeds 1")
    assert "by `python -m schedule --seeds 1`" in text and "(plots/schedule.svg)" in text
    assert ("| measured | 4 | 40 | 0.800 | 0.730 | **0.960** (0.900 to 0.980) | ≥ 0.97 | **not met** |  |  | 1.000 |"
            in text)
    assert "| simulated | 4 | 40 | 0.790 | 0.740 | **0.980** (0.980 to 0.980) |  |  | 0.970 | 0.940 | 1.000 |" in text
    assert "| simulated | 1024 | 10240 | 0.660 | 0.980 | **0.974** (0.974 to 0.974) | ≥ 0.95 | met | 0.960 |" in text
    flowing = " ".join(text.split())
    assert "300 µs per question (measured by hand)" in flowing and "medians over 1 seeds" in flowing
    assert "sleep for 0.1 of their seconds" in flowing and "slightly worse, and never better" in flowing
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("|"))


def test_the_page_without_a_measured_row_does_not_speak_of_one():
    text = page(ROWS[1:], COSTS, 0.1, "given", "python -m schedule")
    assert "Measured" not in text and "| measured" not in text


def test_the_plot_is_the_same_for_the_same_numbers(tmp_path):
    files = [tmp_path / "plots" / name for name in ("a.svg", "b.svg", "c.svg")]
    for file, rows in zip(files, (ROWS, ROWS, ROWS[1:]), strict=True):
        plots.write(rows, file)
    first, second, without = (file.read_text() for file in files)
    assert first == second != without
    assert all(f"<!-- {word} -->" in first for word in ("1024", "eojob", "MPICommExecutor", "measured", "wanted"))


def test_the_command_writes_the_page_and_its_plot(tmp_path, capsys):
    report = tmp_path / "schedule.md"
    given = ["--case", "2x3", "--case", "3x10", "--measure", "none", "--service", "0.001", "--seeds", "2", "--output"]
    assert command.main([*given, str(report)]) == 0
    text = report.read_text()
    assert re.findall(r"^\| simulated \| (\d+) \| (\d+) \|", text, re.MULTILINE) == [("2", "6"), ("3", "30")]
    assert "1000 µs" in text and "given, not measured here" in " ".join(text.split())
    assert (tmp_path / "plots" / "schedule.svg").exists()
    capsys.readouterr()
    assert command.main([*given, "-"]) == 0
    assert capsys.readouterr().out.startswith("# Sharing products")


@pytest.mark.parametrize("wrong, told", [
    (["--case", "64"], "--case: '64': two numbers"), (["--case", "0x4"], "'0x4'"), (["--measure", "1x4"], "one rank"),
    (["--measure", "all"], "'all'"), (["--scale", "0"], "not above 0"), (["--scale", "nan"], "not above 0"),
    (["--scale", "tenth"], "positive_number"), (["--seeds", "0"], "whole number")])
def test_options_that_make_no_sense_are_named(wrong, told, capsys):
    with pytest.raises(SystemExit):
        command.main(wrong)
    assert told in capsys.readouterr().err

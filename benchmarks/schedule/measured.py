"""Measured sharing: real ranks, real messages, products that sleep for the seconds that they would be decoded."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from eojob import catalogue

from schedule.launch import launch
from schedule.task import WAYS, Product, Told
from schedule.workload import Costs, generator, workload

ROUNDS = 3
_START = 120  # s that starting and ending the ranks may take


def measure(ranks: int, per_rank: int, costs: Costs, scale: float, rounds: int = ROUNDS) -> list[dict[str, float]]:
    """The efficiencies of each round by way, in an order that alternates, beside the best that any order could reach.

    Args:
        scale: what is slept of a product's seconds.
    Raises:
        RuntimeError: the ranks failed, or not every product was slept for once.
    """
    entries, decode = workload(ranks * per_rank, costs, generator(ranks, per_rank, seed=0))
    archive, dealt = ([Product(entry.name, decode[entry.name] * scale, costs.overhead * scale) for entry in order]
                      for order in (entries, catalogue.largest_first(entries)))
    best = min(1.0, _seconds(archive) / ranks / max(product.seconds() for product in archive))
    found = []
    for number in range(rounds):
        ways = WAYS[::-1] if number % 2 else WAYS
        one = {way: efficiency(run(ranks, way, archive if way == "static" else dealt), archive) for way in ways}
        found.append({**one, "best": best})
        print(f"measured, round {number + 1}: {', '.join(f'{way} {one[way]:.3f}' for way in WAYS)}", file=sys.stderr,
              flush=True)
    return found


def run(ranks: int, way: str, products: list[Product]) -> Told:
    """One run of one way."""
    with tempfile.TemporaryDirectory(prefix="schedule-") as folder:
        file = Path(folder) / "products.json"
        file.write_text(json.dumps(products))
        told: Told = launch(ranks, "schedule.sleeping", way, str(file), timeout=_START + _seconds(products))
    return told


def efficiency(told: Told, products: list[Product]) -> float:
    """All seconds that were to be slept, over those of all ranks until the last one has ended."""
    slept = Counter(name for _, name in told["slept"])
    if slept != Counter(product.name for product in products):
        raise RuntimeError(f"of {len(products)} products {len(slept)} were slept for, {slept.total()} times in all")
    return _seconds(products) / (len(told["seconds"]) * max(told["seconds"]))


def _seconds(products: list[Product]) -> float:
    return sum(product.seconds() for product in products)

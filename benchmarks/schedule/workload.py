"""What there is to share: products like those of the archive, and what they cost."""

from typing import NamedTuple

import numpy as np
from eojob import catalogue, safe


class Costs(NamedTuple):
    """What products cost; the defaults of the options were measured with full-size products on two cores."""

    seconds_per_mb: float  # of decoding, per MB of JPEG 2000
    spread: float          # its relative spread over products
    overhead: float        # s per product for all but decoding
    rate: float            # MB/s that a rank fetches
    needed: float          # share of a product's bytes that the bands are
    bands: int             # decoding begins with the first of them
    service: float         # s of rank 0 per question
    poll: float            # s between two looks for messages


class Workload(NamedTuple):
    """The products of a run."""

    entries: list[catalogue.Entry]  # in the archive's order, which knows nothing of size
    decode: dict[str, float]        # s by name


def generator(ranks: int, per_rank: int, seed: int) -> np.random.Generator:
    """The random numbers of a case, which no other case of the same seed has."""
    return np.random.default_rng([seed, ranks, per_rank])


def workload(count: int, costs: Costs, random: np.random.Generator) -> Workload:
    """`count` products with lognormal sizes between 50 and 900 MB."""
    sizes = np.clip(random.lognormal(np.log(300), 0.5, count), 50, 900) * costs.needed * 1e6
    names = [f"P{number:06d}" for number in range(count)]
    entries = [catalogue.Entry(name, f"{name}.SAFE/", {"B2": safe.Item("B2", int(size), "")}, 0.0, "")
               for name, size in zip(names, sizes, strict=True)]
    noise = random.normal(1, costs.spread, count).clip(0.5, 2)
    return Workload(entries, {entry.name: float(entry.size() / 1e6 * costs.seconds_per_mb * factor)
                              for entry, factor in zip(entries, noise, strict=True)})

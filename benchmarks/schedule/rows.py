"""A case with its results, and what is wanted of it."""

from statistics import median
from typing import NamedTuple

# (measured, ranks, products per rank): what eojob's efficiency is to be at least
WANTED = {(True, 4, 10): 0.97, (False, 1024, 10): 0.95}


class Row(NamedTuple):
    """Efficiencies of one case."""

    measured: bool  # or simulated
    ranks: int
    per_rank: int
    runs: list[dict[str, float]]  # by way

    def middle(self, way: str) -> float | None:
        """The median of a way over the runs; None when it was not tried."""
        values = [run[way] for run in self.runs if way in run]
        return median(values) if values else None

    def wanted(self) -> float | None:
        """What eojob's efficiency is to be at least, where something is demanded."""
        return WANTED.get((self.measured, self.ranks, self.per_rank))

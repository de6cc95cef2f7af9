"""What the ranks of a measured run are given, and what they tell."""

from typing import NamedTuple, TypedDict

WAYS = ("static", "executor", "eojob")


class Product(NamedTuple):
    """What is slept for."""

    name: str
    decode: float  # s
    rest: float    # s, after it

    def seconds(self) -> float:
        """All of it."""
        return self.decode + self.rest


class Told(TypedDict):
    """How a run went."""

    seconds: list[float]          # by rank, from a common start to the rank's own end
    slept: list[tuple[int, str]]  # rank, product

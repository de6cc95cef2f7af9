"""Numbers from runs: medians of paired ratios, shares of the decode limit, efficiencies."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import NotRequired, TypedDict

from job.runs import Product, Run


class Group(TypedDict):
    """Runs that belong together: one round through one network, one after the other."""

    round: int
    profile: str
    commit: str
    runs: list[Run]
    rmse: NotRequired[float]  # DN, of "wavelet" against First; "exact" is checked to be equal


class Session(TypedDict):
    """All that was measured with one archive and one number of ranks."""

    size: int      # pixels at 10 m of a product's side
    products: int
    ranks: int
    machine: str
    versions: dict[str, str]
    command: str
    groups: list[Group]


def run_of(group: Group, method: str) -> Run | None:
    """The group's run of `method`."""
    return next((run for run in group["runs"] if run["method"] == method), None)


def middle(values: Iterable[float | None]) -> float | None:
    """The median of those that are there; None when none is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def ratio(group: Group, method: str) -> float | None:
    """How many times faster than the reference of the same group."""
    ours, reference = run_of(group, method), run_of(group, "reference")
    return reference["wall"] / ours["wall"] if ours and reference else None


def by_rank(run: Run) -> list[list[Product]]:
    """Each rank's products, in the order in which they were done."""
    ranks: dict[int, list[Product]] = {}
    for product in sorted(run["products"], key=lambda each: each["ended"]):
        ranks.setdefault(product["rank"], []).append(product)
    return list(ranks.values())


def limit_share(run: Run, to_the_end: bool = False) -> float | None:
    """The decode limit of the run's products, over the time from each rank's first bands to its last result.

    Args:
        to_the_end: count every rank's time until the last result of all; idle ranks lend their cores to the others.
    """
    if not run["limit"]:
        return None
    return sum(run["limit"][each["product"]] for each in run["products"]) / _spent(run, to_the_end)


def decoder_share(run: Run) -> float:
    """The seconds that the ranks themselves were in the decoder, over those of `limit_share`.

    What takes the cores meanwhile makes both longer, be it the job's other threads or another guest of the machine.
    """
    return sum(each["seconds"]["decode"] for each in run["products"]) / _spent(run)


def _spent(run: Run, to_the_end: bool = False) -> float:
    """Seconds of all ranks from their first bands on."""
    end, spent = max(each["ended"] for each in run["products"]), 0.0
    for products in by_rank(run):
        first = products[0]
        last = end if to_the_end else products[-1]["ended"]
        spent += last - first["started"] - first["seconds"].get("wait", 0.0)
    return spent


def efficiency(run: Run, ranks: int) -> float:
    """Busy rank-seconds over all rank-seconds, from the first start of a product to the end of the last."""
    wall = max(each["ended"] for each in run["products"]) - min(each["started"] for each in run["products"])
    return sum(_covered(products) for products in by_rank(run)) / (ranks * wall)


def best_efficiency(run: Run, ranks: int) -> float:
    """What the largest product first, each to the rank that is free first, can reach with products of these seconds."""
    ends = [0.0] * ranks
    seconds = sorted((each["seconds"]["total"] for each in run["products"]), reverse=True)
    for each in seconds:
        ends[ends.index(min(ends))] += each
    return sum(seconds) / (ranks * max(ends))


def _covered(products: list[Product]) -> float:
    """Seconds in which at least one of the rank's products was under way; the next is fetched ahead."""
    total, until = 0.0, 0.0
    for start, end in sorted((each["started"], each["ended"]) for each in products):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def network_share(run: Run) -> float | None:
    """The part of the ranks' time in which they waited for the network, without each rank's first product."""
    later = [each for products in by_rank(run) for each in products[1:]]
    busy = sum(each["seconds"].get("total", 0.0) for each in later)
    return sum(each["seconds"].get("wait", 0.0) for each in later) / busy if busy else None


def phase(run: Run, name: str) -> float | None:
    """Seconds of a phase, the mean of the run's products; None when the method does not say."""
    known = [each["seconds"][name] for each in run["products"] if name in each["seconds"]]
    return sum(known) / len(known) if known else None


def peak_memory(run: Run) -> float | None:
    """Bytes of the largest rank."""
    return max((each["peak_memory"] for each in run["products"] if each["peak_memory"]), default=None)


def rigging_share(run: Run, cores: int) -> float:
    """The part of the cores' time that went to the proxy and the store, which a real job has elsewhere."""
    used: float = run["passed"].get("cpu_seconds", 0.0) + run["store_cpu"]
    return used / (cores * run["wall"])


def limit_share_of_rest(run: Run, cores: int) -> float | None:
    """`limit_share` of what the proxy and the store have left of the cores."""
    share = limit_share(run)
    return share / (1 - rigging_share(run, cores)) if share is not None else None


class Summary:
    """Medians over the groups of one session that went through one network."""

    def __init__(self, session: Session, profile: str) -> None:
        self.session = session
        self.groups = [group for group in session["groups"] if group["profile"] == profile]

    def ratio(self, method: str) -> float | None:
        return middle(ratio(group, method) for group in self.groups)

    def most(self, method: str) -> float | None:
        """The ratio that a job would have whose ranks did nothing but decode, and all to the end."""
        pairs = ((run_of(group, method), run_of(group, "reference")) for group in self.groups)
        return middle(theirs["wall"] * self.session["ranks"] / sum(ours["limit"].values())
                      for ours, theirs in pairs if ours and theirs and ours["limit"])

    def of(self, method: str, figure: Callable[[Run], float | None]) -> float | None:
        """The median of a figure over the runs of `method`."""
        runs = (run_of(group, method) for group in self.groups)
        return middle(figure(run) for run in runs if run)

    def limit_share(self, method: str, to_the_end: bool = False) -> float | None:
        return self.of(method, lambda run: limit_share(run, to_the_end))

    def efficiency(self, method: str) -> float | None:
        return self.of(method, lambda run: efficiency(run, self.session["ranks"]))

    def rmse(self) -> float | None:
        return middle(group.get("rmse") for group in self.groups)

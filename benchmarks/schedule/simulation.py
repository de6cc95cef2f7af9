"""Replays how a job shares its products, with the job's own code, for more ranks than there are machines to try on.

`schedule.Deal` and `catalogue.largest_first` decide what a rank gets; the costs are measured ones.
"""

import heapq

import numpy as np
from eojob import catalogue, schedule

from schedule.workload import Costs, generator, workload

AHEAD = 1 / 3  # a rank asks for its next product when this share of the present one is still to be decoded


def ours(ranks: int, megabytes: list[float], work: list[float], costs: Costs, ahead: float,
         random: np.random.Generator) -> float:
    """Seconds until the last rank has ended.

    Args:
        megabytes, work: of the products in the order in which they are dealt; MB to fetch, seconds to decode.
        ahead: as AHEAD; 0 asks when the product is done.
    """
    deal = schedule.Deal(len(megabytes))
    ends = [0.0] * ranks
    asking = [(0.0, rank) for rank in range(ranks)]
    server_free = 0.0
    waits = iter(random.uniform(0, costs.poll, 2 * (len(megabytes) + ranks)).tolist())
    while asking:
        now, rank = heapq.heappop(asking)
        server_free = max(now + next(waits), server_free) + costs.service
        index = deal.take()
        bound = server_free + next(waits)
        if index is None:
            continue
        start = max(ends[rank], bound + megabytes[index] / costs.bands / costs.rate)
        decoded = max(start + work[index], bound + megabytes[index] / costs.rate)
        ends[rank] = decoded + costs.overhead
        heapq.heappush(asking, (max(decoded - ahead * work[index], bound) if ahead else ends[rank], rank))
    return max(ends)


def static(ranks: int, seconds: list[float]) -> float:
    """Seconds of the rank that gets most when all get as many products."""
    return float(max(map(sum, np.array_split(np.array(seconds), ranks))))


def executor(workers: int, seconds: list[float]) -> float:
    """Seconds of a pool that gives products out in the order given."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def efficiencies(ranks: int, per_rank: int, costs: Costs, seed: int) -> dict[str, float]:
    """The ideal time (all work over all ranks) over each way's; "best" is the most that any order could reach."""
    random = generator(ranks, per_rank, seed)
    entries, decode = workload(ranks * per_rank, costs, random)
    dealt = catalogue.largest_first(entries)
    megabytes, work = [entry.size() / 1e6 for entry in dealt], [decode[entry.name] for entry in dealt]
    plain = [decode[entry.name] + costs.overhead for entry in entries]
    seconds = {"static": static(ranks, plain),
               "executor": executor(max(1, ranks - 1), [each + costs.overhead for each in work])}
    for way, ahead in (("eojob", AHEAD), ("at once", 1.0), ("at the end", 0.0)):
        seconds[way] = ours(ranks, megabytes, work, costs, ahead, random)
    ideal = sum(plain) / ranks
    seconds["best"] = max(ideal, max(plain))
    return {way: ideal / each for way, each in seconds.items()}

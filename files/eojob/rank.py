"""What one rank works with all along."""

from typing import Any, Callable, NamedTuple, Optional

from . import atomic
from .engines import Engine
from .jobfile import Job
from .node import Node
from .transfer import Means
from .upload import Target

Process = Callable[[Any, str], None]


class Plan(NamedTuple):
    """What rank 0 tells the others."""

    run: str
    parameters: str
    slurm_job_id: Optional[str]
    to_do: int  # products
    total: int  # with those that are done already


class Rank(NamedTuple):
    """A rank of the job."""

    job: Job
    plan: Plan
    process: Process
    engine: Engine
    means: Means
    target: Optional[Target]
    node: Node
    scratch: str
    number: int

    def label(self) -> str:
        return f"rank {self.number} {atomic.host()}"

    def local_results(self) -> bool:
        """Whether results are written to local scratch first."""
        return self.target is not None or self.job.write_to == "scratch"

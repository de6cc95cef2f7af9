"""Runs a SNAP graph on each product: `make run-job GRAPH=graph.xml`.

In the graph, $source stands for the product and $target for the GeoTIFF; $resolution, $bands, $downsampling and the
other keys of the job file stand for their values.
"""
from typing import Any

from eojob import GPF, job, run


def process(product: Any, output: str) -> None:
    """The graph does it all."""
    GPF.runGraph(job.graph, {"bands": job.bands}, product, output)


if __name__ == "__main__":
    run(process)

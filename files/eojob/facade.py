"""SNAP's words for a user's script: GPF, ProductIO, HashMap, and `job`, the settings of the job at hand.

The calls go to the engine that the job file names; `engines` says what each supports.
"""

from typing import Any, Dict, Optional

from .engines import Engine
from .errors import EojobError
from .jobfile import Job


class _Current:
    """The job and engine of this process, set by the runner."""

    job: Optional[Job] = None
    engine: Optional[Engine] = None


def activate(job: Optional[Job], engine: Optional[Engine]) -> None:
    """Make the script's calls go to `engine`."""
    _Current.job, _Current.engine = job, engine


def _engine() -> Engine:
    if _Current.engine is None:
        raise EojobError("GPF and ProductIO work inside process(product, output) only; pass it to eojob.run")
    return _Current.engine


class HashMap(Dict[str, Any]):
    """Parameters of an operator, as snappy's HashMap; a plain dict does as well."""

    def put(self, key: str, value: Any) -> None:
        self[key] = value


class GPF:
    """SNAP's Graph Processing Framework."""

    @staticmethod
    def createProduct(operator: str, parameters: Dict[str, Any], product: Any) -> Any:
        """The product after `operator` ("Resample", "Subset"). Raises EojobError for what the engine lacks."""
        return _engine().create_product(operator, dict(parameters), product)

    @staticmethod
    def runGraph(graph: str, parameters: Dict[str, Any], product: Any, path: str) -> None:
        """Run the SNAP graph in the file `graph`; its $source is the product, its $target the GeoTIFF `path`.

        Not SNAP's own: snappy has no call for a graph file. Engine gpt only.
        """
        _engine().run_graph(graph, dict(parameters), product, path)


class ProductIO:
    """SNAP's reading and writing of products."""

    @staticmethod
    def writeProduct(product: Any, path: str, format_name: str) -> None:
        """Compute `product` and write it; like SNAP, .tif is added to a path without it."""
        if not path.lower().endswith((".tif", ".tiff")):
            path += ".tif"
        _engine().write_product(product, path, format_name)


class _JobSettings:
    """The job at hand, one attribute for each key of the job file: job.resolution, job.bands, …"""

    def __getattr__(self, key: str) -> Any:
        if _Current.job is None:
            raise EojobError(f"job.{key}: there is no job yet; use job inside process(product, output)")
        value = getattr(_Current.job, key)
        return list(value) if isinstance(value, tuple) else value


job = _JobSettings()

"""Engines: what computes Resample, Subset and the GeoTIFF. Each is a subclass of `Engine` in a module of its own.

A script speaks to the engine of its job through `eojob.GPF` and `eojob.ProductIO`. To add an engine, write a module
with a subclass named `Engine` + capital name and enter it in `ENGINES`; nothing else has to know it.
"""

import abc
import importlib
from typing import Any, Callable, Dict, List, Tuple

from ..bands import BANDS
from ..errors import EojobError

# name in the job file: (module under this package, class)
ENGINES: Dict[str, Tuple[str, str]] = {
    "gdal": ("gdal", "GdalEngine"),
    "snap": ("snap", "SnapEngine"),
    "gpt": ("gpt", "GptEngine"),
}

# SNAP's reader passes over bands whose JP2 is not there with a warning (S2OrthoMetadata.computeBandInfoByKey in
# senbox-org/optical-toolbox), but opens every raster mask that MTD_TL.xml lists for the bands that are, and fails on a
# missing one (Sentinel2OrthoProductReader.addRasterMask). B00 stands for masks of the whole tile.
# s2tbx (SNAP 9) takes a product for one only where its DATASTRIP folder holds one XML file.
SNAP_READS = (r"GRANULE/[^/]+/QI_DATA/MSK_[A-Z0-9]+_(?:B00|{bands})\.(?:jp2|gml)", r"DATASTRIP/[^/]+/MTD_DS\.xml")


class Source(abc.ABC):
    """A product that is being fetched into a folder of the rank, as an engine sees it."""

    folder: str             # path of NAME.SAFE on local disk
    name: str               # NAME, without .SAFE
    bands: Tuple[str, ...]  # the bands the job asked for; no other is on disk
    wait_seconds: float     # for which the engine has waited for objects so far

    @abc.abstractmethod
    def metadata(self) -> Any:
        """The product's `safe.Metadata`; waits for its two XML files."""

    @abc.abstractmethod
    def band_path(self, band: str) -> str:
        """Path of the JP2 of `band`, once it is whole and verified; raises ProductError when it cannot be had."""

    def reduction(self, band: str) -> Any:
        """The `reduced.Reduced` when what `band_path` gave holds a lower resolution only; None when it holds all."""
        return None

    @abc.abstractmethod
    def wait(self) -> None:
        """Return when every object is on disk and verified; for engines that read the folder as a whole."""


class Engine(abc.ABC):
    """What a script's calls do. One instance per rank and job, used for one product after another."""

    keeps_order = True                 # whether Subset's bands come in the order asked for, or in the product's own
    also_needed: Tuple[str, ...] = ()  # patterns of the product's other objects to fetch; {bands} is B02|B03|…

    def __init__(self, job: Any) -> None:
        """`job` is a `jobfile.Job`."""
        self.job = job
        self.seconds: Dict[str, float] = {}  # of the product at hand by phase ("decode", "write"); wall clock
        self.approximation: Dict[str, Any] = {}  # of the product at hand by band; see `reduced.error`
        self.previews: Dict[str, Tuple[List[str], List[Any]]] = {}  # by path written: bands and small planes of them
        self.cores: Callable[[], int] = lambda: 1  # that this rank may use now; others of the node may have ended

    @abc.abstractmethod
    def check(self) -> None:
        """Raise EojobError, in one sentence with the remedy, when the engine cannot work on this machine."""

    def result_bands(self) -> List[str]:
        """The job's bands in the order of a result's planes, for files that do not name them themselves."""
        bands = list(self.job.bands)
        return bands if self.keeps_order else sorted(bands, key=BANDS.index)

    def start(self, scratch: str) -> None:  # noqa: B027 - most engines have nothing to start
        """Get ready to work; `scratch` is the rank's own folder on local disk. Called once, after `check`."""

    def stop(self) -> None:  # noqa: B027 - most engines hold nothing
        """Let go of all that is left. Called once, when the rank has done its work."""

    def abort(self) -> None:  # noqa: B027 - most engines work in this process
        """End at once what would outlive this process. Called from another thread, when SIGTERM has come."""

    @abc.abstractmethod
    def read_product(self, source: Source) -> Any:
        """The product as an object of the engine's own; nothing needs to be decoded yet."""

    @abc.abstractmethod
    def create_product(self, operator: str, parameters: Dict[str, Any], product: Any) -> Any:
        """The product after a SNAP operator. Raises EojobError for what the engine does not support."""

    @abc.abstractmethod
    def write_product(self, product: Any, path: str, format_name: str) -> None:
        """Compute the product and write it to `path`, whose name ends in .tif."""

    def run_graph(self, graph: str, parameters: Dict[str, Any], product: Any, path: str) -> None:
        """Run the SNAP graph in the file `graph` on the product. Raises EojobError for what is not supported."""
        raise EojobError(f"GPF.runGraph: engine {self.job.engine} runs no graphs; use JOB_ENGINE=gpt")

    def close_product(self, product: Any) -> None:  # noqa: B027 - most engines hold nothing open
        """Let go of what `read_product` holds."""


def load(job: Any) -> Engine:
    """The engine the job names. Raises EojobError when a module that it needs is not installed."""
    module_name, class_name = ENGINES[job.engine]
    try:
        module = importlib.import_module("." + module_name, __name__)
    except ImportError as error:
        raise EojobError(f"engine: '{job.engine}' cannot be loaded ({error}); install the module, or choose another"
                         f" engine ({', '.join(ENGINES)})") from error
    make: Callable[[Any], Engine] = getattr(module, class_name)
    return make(job)


def unsupported(operator: str, keys: List[str], supported: List[str]) -> EojobError:
    """The error for parameters that an engine's operator does not know."""
    return EojobError(f"{operator}: unknown parameter {', '.join(keys)}; this engine supports {', '.join(supported)}")

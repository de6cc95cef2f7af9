"""eojob: one script over many Sentinel-2 products, shared by the ranks of an MPI job.

A script defines `process(product, output)` and ends with `eojob.run(process)`; see image_processing.py beside this
package. Importing the package needs the standard library only, so that a job file can be checked anywhere.
"""

import sys
from typing import Any, Callable

from .errors import EojobError, not_importable
from .facade import GPF, HashMap, ProductIO, job

__all__ = ["GPF", "EojobError", "HashMap", "ProductIO", "job", "run"]


def run(process: Callable[[Any, str], None]) -> None:
    """Process every product of the job file named on the command line, then exit.

    Args:
        process: called with a product and the path (ending in .tif) where its result is to be written.

    The exit code is 0 when all products are done, 1 when some failed, 2 when the job could not start.
    """
    try:
        from .runner import main  # numpy, rasterio and boto3 are needed from here on
    except ImportError as error:
        print(not_importable(error), file=sys.stderr)
        sys.exit(2)
    main(process)

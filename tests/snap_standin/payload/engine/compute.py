"""The pixels: JPEG 2000 decoded with rasterio, reduced with numpy as SNAP's First, Mean and Nearest do."""

import importlib.util
import json
import os
import subprocess

from . import dimap, tiff
from .errors import JavaError, io_error

_ROWS = 1000  # decoded at a time, at least


def write(product, path, installation):
    """Write `product` as GeoTIFF; .tif is added to a name without extension. Raises JavaError."""
    product.check()
    if not product.bands:
        raise io_error("the product has no bands to write")
    if product.isMultiSize():
        raise JavaError("org.esa.snap.core.dataio.ProductIOException",
                        "the product has rasters of different sizes, which GeoTIFF cannot hold; resample it first")
    if not path.lower().endswith((".tif", ".tiff")):
        path += ".tif"
    description = {
        "path": os.path.abspath(path), "shape": list(product.bands[0].size), "epsg": product.epsg,
        "corner": list(product.corner), "resolution": product.resolution or product.bands[0].native,
        "downsampling": product.downsampling, "copy_metadata": product.copy_metadata, "start": product.start,
        "source": os.path.basename(product.source), "notice": installation.facts["notice"],
        "bands": [{"name": band.name, "path": band.path, "native": band.native} for band in product.bands]}
    if importlib.util.find_spec("rasterio"):
        return _write(description)
    return _write_with_jre(description, installation)


def _write_with_jre(description, installation):
    """Let the Python that the installer was built for compute, as this one has no rasterio."""
    java = os.path.join(installation.home, "jre", "bin", "java")
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = "import json, sys; from standin_engine import compute; compute._write(json.loads(sys.argv[1]))"
    environment = dict(os.environ, PYTHONPATH=folder)
    process = subprocess.Popen([java, "-c", code, json.dumps(description)], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode(errors="replace")
    if process.returncode:
        raise io_error(f"{java} cannot compute: {output[-800:]}")
    return description["path"]


def _write(description):
    path = description["path"]
    name = os.path.splitext(os.path.basename(path))[0]
    bands = [_blocks(band, description) for band in description["bands"]]
    try:
        tiff.write(path, bands, description["shape"], description["epsg"], description["corner"],
                   description["resolution"], name, dimap.header(description, name))
    except (OSError, ValueError) as error:
        raise io_error(str(error)) from error
    return path


def _blocks(band, description):
    """The band's result, top to bottom, in arrays of (rows, columns)."""
    import rasterio
    from rasterio.windows import Window

    native, resolution = band["native"], int(description["resolution"])
    down, up = max(1, resolution // native), max(1, native // resolution)
    try:
        with rasterio.open(band["path"]) as dataset:
            rows, columns = dataset.shape
            step = _common_multiple(dataset.block_shapes[0][0], down)
            step *= -(-_ROWS // step)
            if (rows // down * up, columns // down * up) != tuple(description["shape"]):
                raise io_error(f"{band['path']} is of {columns} x {rows}, and MTD_TL.xml says otherwise")
            for top in range(0, rows, step):
                block = dataset.read(1, window=Window(0, top, columns, min(step, rows - top)))
                if up > 1:
                    yield nearest(block, up)
                else:
                    yield mean(block, down) if description["downsampling"] == "Mean" else block[::down, ::down]
    except rasterio.errors.RasterioError as error:
        raise io_error(f"{band['path']} cannot be read: {error}") from error


def _common_multiple(tile, factor):
    """Rows that are whole JPEG 2000 tiles, each decoded once, and whole cells of the result."""
    return next(tile * n for n in range(1, factor + 1) if tile * n % factor == 0)


def mean(block, factor):
    """Floor of the mean of each `factor` x `factor` cell over its pixels with data (not zero); 0 where none has."""
    import numpy as np

    rows, columns = block.shape
    cells = block.reshape(rows // factor, factor, columns // factor, factor)
    counts = np.count_nonzero(cells, axis=(1, 3)).astype("uint64")
    return (cells.sum(axis=(1, 3), dtype="uint64") // np.maximum(counts, 1)).astype("uint16")


def nearest(block, factor):
    """Each pixel `factor` times in both directions."""
    import numpy as np

    return np.kron(block, np.ones((factor, factor), dtype=block.dtype))

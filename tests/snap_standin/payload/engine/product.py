"""Products: descriptions that are computed when they are written. And the reader of Sentinel-2 Level-1C."""

import glob
import os
import re
import sys
from xml.etree import ElementTree

from .errors import JavaError, io_error

# SNAP's names and order; the file's suffix; native resolution in m.
BANDS = (("B1", "B01", 60), ("B2", "B02", 10), ("B3", "B03", 10), ("B4", "B04", 10), ("B5", "B05", 20),
         ("B6", "B06", 20), ("B7", "B07", 20), ("B8", "B08", 10), ("B8A", "B8A", 20), ("B9", "B09", 60),
         ("B10", "B10", 60), ("B11", "B11", 20), ("B12", "B12", 20))
METADATA = "MTD_MSIL1C.xml"


class Band:
    """A band of a product. `size` is (rows, columns)."""

    def __init__(self, name, path, native, size):
        self.name, self.path, self.native, self.size = name, path, native, size

    def getName(self):
        return self.name

    def getRasterWidth(self):
        return self.size[1]

    def getRasterHeight(self):
        return self.size[0]


class Product:
    """org.esa.snap.core.datamodel.Product, as far as a job uses it."""

    def __init__(self, name, bands, epsg, corner, source, start=""):
        self.name, self.bands, self.source, self.start = name, bands, source, start
        self.epsg, self.corner = epsg, corner
        self.resolution, self.downsampling, self.copy_metadata, self.disposed = None, "First", True, False
        self.product_type = "S2_MSI_Level-1C"

    def derive(self, suffix, **changes):
        """A product made from this one by an operator."""
        self.check()
        derived = Product(self.name + suffix, list(self.bands), self.epsg, self.corner, self.source, self.start)
        derived.resolution, derived.downsampling = self.resolution, self.downsampling
        for key, value in changes.items():
            setattr(derived, key, value)
        return derived

    def check(self):
        if self.disposed:
            raise JavaError("java.lang.IllegalStateException", f"product '{self.name}' has been disposed of")

    def getName(self):
        return self.name

    def setName(self, name):
        self.name = str(name)

    def getProductType(self):
        return self.product_type

    def getBandNames(self):
        return [band.name for band in self.bands]

    def getNumBands(self):
        return len(self.bands)

    def getBand(self, name):
        return next((band for band in self.bands if band.name == name), None)

    def getBands(self):
        return list(self.bands)

    def containsBand(self, name):
        return self.getBand(name) is not None

    def isMultiSize(self):
        return len({band.size for band in self.bands}) > 1

    def getSceneRasterWidth(self):
        return max(band.size[1] for band in self.bands)

    def getSceneRasterHeight(self):
        return max(band.size[0] for band in self.bands)

    def closeIO(self):
        pass

    def dispose(self):
        self.disposed = True


def read(installation, path):
    """The product at `path` (folder or metadata file), or None when no reader takes it. Raises JavaError."""
    path = os.path.abspath(os.path.normpath(path))
    if not os.path.exists(path):
        raise JavaError("java.io.FileNotFoundException", f"File not found: {path}")
    metadata = os.path.join(path, METADATA) if os.path.isdir(path) else path
    if os.path.basename(metadata) != METADATA or not os.path.isfile(metadata) or not installation.reads_sentinel2():
        return None
    folder = os.path.dirname(metadata)
    if installation.facts["strict_reader"] and installation.major <= 10:
        if not re.match("(S2A|S2B|S2_)_", os.path.basename(folder)):
            return None
        _check_structure(folder, installation.major)
    granules = sorted(glob.glob(os.path.join(glob.escape(folder), "GRANULE", "*", "MTD_TL.xml")))
    if not granules:
        raise io_error(f"Unable to retrieve the product associated to granule metadata file [{METADATA}]")
    start = _parse(metadata).findtext(".//PRODUCT_START_TIME") or ""
    tile = _parse(granules[0])
    epsg = int(_text(tile, ".//HORIZONTAL_CS_CODE").rpartition(":")[2])
    sizes, corner = {}, None
    for size in tile.iter("Size"):
        sizes[int(size.get("resolution"))] = (int(_text(size, "NROWS")), int(_text(size, "NCOLS")))
    for place in tile.iter("Geoposition"):
        if place.get("resolution") == "10":
            corner = (float(_text(place, "ULX")), float(_text(place, "ULY")))
    if corner is None:
        raise io_error(f"{granules[0]}: no Geoposition of 10 m")
    bands = _bands(os.path.join(os.path.dirname(granules[0]), "IMG_DATA"), sizes)
    if not bands:
        raise JavaError("java.lang.NullPointerException",
                        f"Unable to retrieve the image tile layout associated to product [{METADATA}]")
    name = os.path.basename(folder)
    return Product(name[:-5] if name.endswith(".SAFE") else name, bands, epsg, corner, folder, start)


def _check_structure(folder, major):
    """S2ProductNamingUtils.checkStructureFromProductXml: DATASTRIP must be there, in 9 with its metadata file."""
    found = glob.glob(os.path.join(glob.escape(folder), "DATASTRIP", "*", "*.xml"))
    if not os.path.isdir(os.path.join(folder, "DATASTRIP")) or major == 9 and not found:
        raise JavaError("java.lang.IllegalStateException", "The naming convention structure is invalid for input file"
                        f" '{os.path.join(folder, METADATA)}'")


def _bands(folder, sizes):
    """The bands whose files are there. The real reader warns of the others and leaves them out; so does this."""
    found = []
    for name, suffix, native in BANDS:
        paths = glob.glob(os.path.join(glob.escape(folder), f"*_{suffix}.jp2"))
        if len(paths) == 1 and native in sizes:
            found.append(Band(name, paths[0], native, sizes[native]))
        else:
            sys.stderr.write(f"WARNING: org.esa.snap: Warning: no image files found for band {name}\n")
    return found


def _parse(path):
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise io_error(f"{path}: {error}") from error


def _text(element, path):
    text = element.findtext(path)
    if text is None:
        raise io_error(f"MTD_TL.xml has no {path.strip('./')}")
    return text

"""What a Sentinel-2 Level-1C product (SAFE) says about itself: names, MTD_MSIL1C.xml, MTD_TL.xml, manifest.safe."""

import os
import re
import xml.etree.ElementTree as ElementTree
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .bands import BANDS, file_suffix
from .errors import ProductError

PRODUCT_METADATA = "MTD_MSIL1C.xml"
MANIFEST = "manifest.safe"
_NAME = re.compile(r"^S2[A-Z]_MSIL1C_(\d{8}T\d{6})_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d{8}T\d{6}$")


class Grid(NamedTuple):
    """One pixel grid of a tile; the corner is the upper-left one, metres in the tile's projection."""

    ulx: float
    uly: float
    rows: int
    columns: int


class Metadata(NamedTuple):
    """What the two XML files say."""

    name: str                  # without .SAFE
    baseline: str              # "05.11"
    sensing_time: str          # ISO 8601, start of the datatake over the product
    quantification: str        # reflectance = (DN + offset) / quantification
    offsets: Dict[str, int]    # RADIO_ADD_OFFSET by band; 0 before baseline 04.00
    epsg: int
    grids: Dict[int, Grid]     # by pixel size: 10, 20, 60 (m)


class Item(NamedTuple):
    """An object of a product, as the store lists it."""

    path: str  # inside NAME.SAFE
    size: int  # bytes
    etag: str  # without quotes; "" when it is not known


class Checksum(NamedTuple):
    """An object's entry in manifest.safe."""

    size: int
    algorithm: str  # of hashlib; "" when the manifest's is not known
    digest: str     # lower-case hexadecimal


def check_name(name: str) -> None:
    """Raise ProductError unless `name` (without .SAFE) is that of a single-tile Level-1C product."""
    if _NAME.match(name):
        return
    if "_OPER_PRD_MSIL1C_" in name:
        raise ProductError(f"{name} is in the format before December 2016 (many tiles), which is not supported")
    raise ProductError(f"{name} is not the name of a Sentinel-2 Level-1C product (S2?_MSIL1C_…)")


def needed_objects(found: Dict[str, Tuple[int, str]], bands: Sequence[str],
                   also: Iterable[str] = ()) -> Dict[str, Item]:
    """The objects of a product that a job needs.

    Args:
        found: (bytes, ETag) by path inside NAME.SAFE, of all the product's objects.
        bands: SNAP's names.
        also: patterns of more objects, see `Engine.also_needed`; those that there are none of are no fault.
    Returns:
        {role: Item}; the roles are "product" and "tile" (XML), "manifest" (left out when there is none),
        each band's name, and for what `also` adds the path itself.
    Raises:
        ProductError: naming all that is missing.
    """
    patterns = {"product": re.escape(PRODUCT_METADATA), "tile": r"GRANULE/[^/]+/MTD_TL\.xml",
                "manifest": re.escape(MANIFEST)}
    for band in bands:
        patterns[band] = rf"GRANULE/[^/]+/IMG_DATA/[^/]+_{file_suffix(band)}\.jp2"
    needed: Dict[str, Item] = {}
    faults: List[str] = []
    ordered = sorted(found)
    for role, pattern in patterns.items():
        paths = list(filter(re.compile(f"^{pattern}$").match, ordered))  # for a million keys this is where time goes
        if len(paths) == 1:
            needed[role] = Item(paths[0], *found[paths[0]])
        elif len(paths) > 1:
            faults.append(f"{len(paths)} objects match {pattern} where one should")
        elif role != "manifest":
            file_name = PRODUCT_METADATA if role == "product" else "MTD_TL.xml"
            faults.append(f"band {role} is missing" if role in BANDS else f"{file_name} is missing")
    if faults:
        raise ProductError("the product in the store is not complete: " + "; ".join(faults))
    suffixes = "|".join(file_suffix(band) for band in bands)
    for pattern in also:
        pattern = pattern.replace("{bands}", suffixes)
        needed.update((path, Item(path, *found[path])) for path in ordered if re.match(f"^(?:{pattern})$", path))
    return needed


def _parse(path: str) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise ProductError(f"{os.path.basename(path)} cannot be read: {error}") from error


def _text(root: ElementTree.Element, tag: str, path: str) -> str:
    found = root.find(f".//{tag}")
    if found is None or not (found.text or "").strip():
        raise ProductError(f"{os.path.basename(path)} has no {tag}")
    return (found.text or "").strip()


def read_metadata(name: str, product_xml: str, tile_xml: str) -> Metadata:
    """Read the two XML files of the product `name` (without .SAFE). Raises ProductError."""
    product, tile = _parse(product_xml), _parse(tile_xml)
    code = _text(tile, "HORIZONTAL_CS_CODE", tile_xml)
    offsets = dict.fromkeys(BANDS, 0)
    try:
        epsg = int(re.sub(r"^EPSG:", "", code))
        for element in product.iter("RADIO_ADD_OFFSET"):
            offsets[BANDS[int(element.get("band_id", ""))]] = int(float(element.text or ""))
        grids = _grids(tile)
    except (ValueError, LookupError) as error:
        raise ProductError(f"the product's XML has a value that cannot be understood: {error}") from error
    if not grids:
        raise ProductError(f"{os.path.basename(tile_xml)} has no Geoposition")
    return Metadata(
        name=name,
        baseline=_text(product, "PROCESSING_BASELINE", product_xml),
        sensing_time=_text(product, "PRODUCT_START_TIME", product_xml),
        quantification=_text(product, "QUANTIFICATION_VALUE", product_xml),
        offsets=offsets, epsg=epsg, grids=grids)


def _grids(tile: ElementTree.Element) -> Dict[int, Grid]:
    sizes = {size.get("resolution"): size for size in tile.iter("Size")}
    grids = {}
    for position in tile.iter("Geoposition"):
        size = sizes[position.get("resolution")]
        grids[int(position.get("resolution", ""))] = Grid(
            ulx=float(position.findtext("ULX", "")), uly=float(position.findtext("ULY", "")),
            rows=int(size.findtext("NROWS", "")), columns=int(size.findtext("NCOLS", "")))
    return grids


def read_manifest(path: str) -> Dict[str, Checksum]:
    """The checksums in manifest.safe, by path inside NAME.SAFE. Raises ProductError."""
    checksums = {}
    for stream in _parse(path).iter("byteStream"):
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        if location is None or checksum is None:
            continue
        href = re.sub(r"^\./", "", location.get("href", ""))
        algorithm = _algorithm(checksum.get("checksumName", ""))
        size = stream.get("size", "")
        if not size.isdigit():
            raise ProductError(f"{MANIFEST} gives no size for {href}")
        checksums[href] = Checksum(int(size), algorithm or "", (checksum.text or "").strip().lower())
    return checksums


def _algorithm(name: str) -> Optional[str]:
    """hashlib's name of a checksum as the manifests spell it ("SHA3-256", "MD5")."""
    return {"SHA3256": "sha3_256", "MD5": "md5", "SHA256": "sha256"}.get(re.sub(r"[^A-Z0-9]", "", name.upper()))

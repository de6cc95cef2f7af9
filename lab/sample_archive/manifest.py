"""The manifest: size and SHA3-256 checksum of every object of a product."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sample_archive.bands import BANDS, RESOLUTIONS
from sample_archive.metadata import template_values
from sample_archive.spec import ProductSpec
from sample_archive.templating import render

FILE_NAME = "manifest.safe"
_METADATA = "Metadata Unit"
_MEASUREMENT = "Measurement Data Unit"
_DATA = "Data Unit"
_FIXED_IDS = {
    "MTD_MSIL1C.xml": ("S2_Level-1C_Product_Metadata", _METADATA),
    "INSPIRE.xml": ("INSPIRE_Metadata", _METADATA),
    "MTD_DS.xml": ("S2_Level-1C_Datastrip1_Metadata", _METADATA),
    "MTD_TL.xml": ("S2_Level-1C_Tile1_Metadata", _METADATA),
    "UserProduct_index.html": ("HTML_Presentation", _DATA),
    "UserProduct_index.xsl": ("HTML_Presentation_Stylesheet", _DATA),
    "S2_User_Product_Level-1C_Metadata.xsd": ("S2_Level-1C_Product_Schema", _DATA),
    "AUX_CAMSFO": ("CAMS_Tile1_Data", _MEASUREMENT),
    "AUX_ECMWFT": ("ECMWF_Tile1_Data", _MEASUREMENT),
}
_IMAGE_IDS = {
    band.name: f"IMG_DATA_Band_{resolution}m_{number}_Tile1_Data"
    for resolution in RESOLUTIONS
    for number, band in enumerate((band for band in BANDS if band.resolution == resolution), start=1)
} | {"TCI": "IMG_DATA_Band_TCI_Tile1_Data", "PVI": "Preview_0_Tile1_Data"}
_CONTAINERS = {"DATASTRIP": "Datastrips", "GRANULE": "Tiles", "HTML": "HTML", "rep_info": "Schemas"}
_MIME_TYPES = {".xml": "application/xml", ".html": "text/html", ".xsl": "text/xml", ".xsd": "text/xml"}


class DataObject(NamedTuple):
    """One object of the product as the manifest lists it; `path` is relative to the product's folder."""

    id: str
    unit_type: str
    container: str
    mime_type: str
    path: str
    size: int
    checksum: str


def write_manifest(spec: ProductSpec, size: int, product: Path) -> None:
    """Write the manifest of a product that is complete but for the manifest.

    As in ESA's products it lists neither itself nor the quicklook, which the archive adds.
    """
    files = sorted(path for path in product.rglob("*") if path.is_file() and not path.name.endswith("-ql.jpg"))
    objects = [_describe(path, product) for path in files]
    text = render("manifest.safe.j2", objects=objects, **template_values(spec, size))
    (product / FILE_NAME).write_text(text, encoding="utf-8")


def _describe(file: Path, product: Path) -> DataObject:
    path = PurePosixPath(file.relative_to(product))
    identifier, unit_type = _identify(path)
    with file.open("rb") as content:
        checksum = hashlib.file_digest(content, "sha3_256").hexdigest().upper()
    return DataObject(
        id=identifier,
        unit_type=unit_type,
        container=_CONTAINERS.get(path.parts[0], ""),
        mime_type=_MIME_TYPES.get(path.suffix, "application/octet-stream"),
        path=str(path),
        size=file.stat().st_size,
        checksum=checksum,
    )


def _identify(path: PurePosixPath) -> tuple[str, str]:
    """Return identifier and type of the object at a path of the product."""
    if path.name in _FIXED_IDS:
        return _FIXED_IDS[path.name]
    owner = "Datastrip1" if path.parts[0] == "DATASTRIP" else "Tile1"
    if path.suffix == ".xml":
        return f"{path.stem.split('_')[0].capitalize()}_OLQC_Report_{owner}_InformationData", _MEASUREMENT
    image = path.stem.rsplit("_", 1)[-1]
    if path.name.startswith("MSK_"):
        return f"{path.stem}_{owner}_Data", _MEASUREMENT
    return _IMAGE_IDS[image], _MEASUREMENT

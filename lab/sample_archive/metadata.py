"""The XML and HTML files of a product."""

import math
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from rasterio.warp import transform as transform_coordinates

from sample_archive import swath
from sample_archive.angles import mean_view, sun_angles, sun_grid, viewing_grids
from sample_archive.bands import BANDS, RESOLUTIONS
from sample_archive.masks import list_masks
from sample_archive.spec import ProductSpec
from sample_archive.templating import render

_REPORTS = ("FORMAT_CORRECTNESS", "GENERAL_QUALITY", "GEOMETRIC_QUALITY", "RADIOMETRIC_QUALITY", "SENSOR_QUALITY")
_GRANULE_REPORTS = tuple(report for report in _REPORTS if report != "RADIOMETRIC_QUALITY")
_SPACECRAFT = {"S2A": "2015-028A", "S2B": "2017-013A", "S2C": "2024-157A"}  # international designators


def write_metadata(spec: ProductSpec, size: int, product: Path) -> None:
    """Write all metadata except the manifest into the folder of a product of `size` x `size` pixels at 10 m."""
    take = spec.datatake
    granule = f"GRANULE/{spec.granule_folder}"
    datastrip = f"DATASTRIP/{take.datastrip_folder}"
    values = template_values(spec, size)
    files = {
        "MTD_MSIL1C.xml": "MTD_MSIL1C.xml.j2",
        "INSPIRE.xml": "INSPIRE.xml.j2",
        "HTML/UserProduct_index.html": "UserProduct_index.html.j2",
        "HTML/UserProduct_index.xsl": "UserProduct_index.xsl.j2",
        "rep_info/S2_User_Product_Level-1C_Metadata.xsd": "S2_User_Product_Level-1C_Metadata.xsd.j2",
        f"{datastrip}/MTD_DS.xml": "MTD_DS.xml.j2",
        f"{granule}/MTD_TL.xml": "MTD_TL.xml.j2",
    }
    for file, template in files.items():
        _write(product / file, template, values)
    for folder, item, reports in (
        (datastrip, take.datastrip_identifier, _REPORTS),
        (granule, spec.granule_identifier, _GRANULE_REPORTS),
    ):
        for report in reports:
            about = {"report": report, "item": item, "date": timestamp(take.generated + timedelta(hours=1))}
            _write(product / folder / "QI_DATA" / f"{report}.xml", "report.xml.j2", values | about)


def timestamp(time: datetime) -> str:
    """Return a UTC time as the metadata has it: 2022-10-01T08:48:01.024Z (names drop the fraction)."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.024Z"


def footprint(spec: ProductSpec, size: int) -> list[tuple[float, float]]:
    """Return the outline of the valid pixels as a closed ring of (latitude, longitude) in degrees."""
    extent = size * 10
    position = spec.position
    ring = swath.polygon(spec.swath)
    eastings = [position.ulx + x * extent for x, _ in ring]
    northings = [position.uly - y * extent for _, y in ring]
    longitudes, latitudes = transform_coordinates(f"EPSG:{position.epsg}", "EPSG:4326", eastings, northings)
    return list(zip(latitudes, longitudes, strict=True))


def template_values(spec: ProductSpec, size: int) -> dict[str, object]:
    """Return what the templates fill in: a product's identifiers, times, geometry and angles."""
    take = spec.datatake
    ring = footprint(spec, size)
    latitudes, longitudes = zip(*ring, strict=True)
    middle = sum(longitudes[:-1]) / len(longitudes[:-1]), sum(latitudes[:-1]) / len(latitudes[:-1])
    sensed = take.datastrip_start + timedelta(seconds=14)
    sun = sun_angles(sensed, *middle)
    return {
        "spec": spec,
        "take": take,
        "position": spec.position,
        "zone": f"{spec.position.epsg % 100}{'S' if spec.position.epsg >= 32700 else 'N'}",
        # Version 15 of the product specification (PSD) came with baseline 05.10.
        "psd": "psd-15" if take.baseline >= "0510" else "psd-14",
        "spacecraft": {"number": take.satellite[1:], "designator": _SPACECRAFT[take.satellite]},
        "bands": BANDS,
        "sides": {resolution: size * 10 // resolution for resolution in RESOLUTIONS},
        "start": timestamp(take.sensing_start),
        "datastrip_start": timestamp(take.datastrip_start),
        "datastrip_stop": timestamp(take.datastrip_start + timedelta(seconds=38)),
        "sensed": timestamp(sensed),
        "generated": timestamp(take.generated),
        "day": f"{take.generated:%Y-%m-%d}",
        "auxiliary_day": f"{take.sensing_start:%Y%m%d}",
        # ESA's lists of coordinates end with a blank.
        "footprint": "".join(f"{latitude:.9f} {longitude:.9f} " for latitude, longitude in ring),
        "bounds": {
            "west": min(longitudes),
            "east": max(longitudes),
            "south": min(latitudes),
            "north": max(latitudes),
        },
        "uuid": uuid.uuid5(uuid.NAMESPACE_URL, spec.name),
        "distance_factor": f"{1 + 0.0334 * _near_perihelion(take.sensing_start):.12f}",
        "cloud_percent": "0.0",
        "sun": sun,
        "sun_grid": sun_grid(sun),
        "views": {band.band_id: mean_view(band.band_id) for band in BANDS},
        "viewing_grids": viewing_grids(spec.swath),
        "masks": list_masks(spec),
        "reports": _REPORTS,
    }


def _near_perihelion(time: datetime) -> float:
    """Return 1 when the earth is nearest to the sun and -1 when farthest."""
    return math.cos(2 * math.pi * (time.timetuple().tm_yday - 3) / 365)


def _write(path: Path, template: str, values: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(template, **values), encoding="utf-8")

"""The thirteen bands of Sentinel-2's MSI: names, native pixel sizes and order."""

import re
from typing import Dict, List, Optional

# In the order of the products' band_id (0 to 12); metres. Source: Sentinel-2 Products Specification Document.
NATIVE_RESOLUTION: Dict[str, int] = {
    "B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20,
    "B8": 10, "B8A": 20, "B9": 60, "B10": 60, "B11": 20, "B12": 20,
}

BANDS: List[str] = list(NATIVE_RESOLUTION)

TILE_METRES = 109800  # the side of every tile of the MGRS-based grid: 10980 pixels of 10 m


def normalise(name: str) -> Optional[str]:
    """SNAP's name of a band ("B2") for any usual spelling ("b02", "B02", "2"); None when there is no such band."""
    match = re.match(r"^[Bb]?0*([1-9][0-9]?[Aa]?)$", name.strip())
    if not match:
        return None
    band = "B" + match.group(1).upper()
    return band if band in NATIVE_RESOLUTION else None


def file_suffix(band: str) -> str:
    """The band as written in names of JP2 files: "B2" -> "B02", "B8A" -> "B8A"."""
    return band if band == "B8A" else f"B{int(band[1:]):02d}"


def factor_fault(band: str, native: int, resolution: int) -> Optional[str]:
    """Why `band`, with pixels of `native` metres, cannot be resampled to `resolution` metres; None when it can."""
    if resolution % native == 0 or native % resolution == 0:
        return None
    return (f"band {band} has {native} m pixels, and neither {resolution}/{native} nor {native}/{resolution}"
            " is a whole number")


def wavelet_levels(native: int, resolution: int) -> int:
    """How many times `native` (m) is halved to give `resolution` (m): 0 to 4, the levels that a band's JP2 has; 0 also
    when halving does not give it.
    """
    return {2 * native: 1, 4 * native: 2, 8 * native: 3, 16 * native: 4}.get(resolution, 0)


def sides_that_fit() -> List[int]:
    """The resolutions (m, multiples of 10 up to 1000) that divide a full tile into whole pixels."""
    return [r for r in range(10, 1001, 10) if TILE_METRES % r == 0]

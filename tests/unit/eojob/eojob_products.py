"""Small but complete Sentinel-2 Level-1C products for tests: lossless JPEG 2000, XML and a manifest that fits."""

import glob
import hashlib
import os
from pathlib import Path

import numpy as np
import rasterio
from eojob import engines, safe
from eojob.bands import BANDS, NATIVE_RESOLUTION, file_suffix
from rasterio.transform import Affine

METRES = 3840  # side of the tile: 384, 192 and 64 pixels
ULX, ULY, EPSG = 399960, 1200000, 32648
GRANULE = "L1C_T48PVS_A002519_20250228T032919"


class LocalProduct(engines.Source):
    """A product that lies on disk already, as an engine sees it."""

    def __init__(self, folder, bands):
        self.folder, self.name, self.bands, self.wait_seconds = str(folder), Path(folder).stem, tuple(bands), 0.0

    def metadata(self):
        tile, = glob.glob(os.path.join(self.folder, "GRANULE", "*", "MTD_TL.xml"))
        return safe.read_metadata(self.name, os.path.join(self.folder, safe.PRODUCT_METADATA), tile)

    def band_path(self, band):
        return str(band_file(Path(self.folder), band))

    def wait(self):
        pass


def product_name(day: int = 28) -> str:
    """A product name that differs by day of February 2025."""
    return f"S2C_MSIL1C_202502{day:02d}T031721_N0511_R118_T48PVS_202502{day:02d}T065233"


def pixels(band: str, seed: int = 0) -> np.ndarray:
    """Strongly textured DN of a band; the upper-left corner holds no data."""
    side = METRES // NATIVE_RESOLUTION[band]
    random = np.random.default_rng([seed, BANDS.index(band)])
    values = random.integers(1001, 9000, (side, side)).astype("uint16")
    rows, columns = np.indices(values.shape)
    values[rows + columns < side // 4] = 0
    return values


def write_jp2(path: Path, values: np.ndarray, resolution: int, tile: int = 128) -> None:
    """A band as ESA writes it, with small tiles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
            path, "w", driver="JP2OpenJPEG", height=values.shape[0], width=values.shape[1], count=1, dtype="uint16",
            crs=f"EPSG:{EPSG}", transform=Affine(resolution, 0, ULX, 0, -resolution, ULY), tiled=True,
            BLOCKXSIZE=min(tile, values.shape[1]), BLOCKYSIZE=min(tile, values.shape[0]), QUALITY=100,
            REVERSIBLE="YES", YCBCR420="NO", RESOLUTIONS=5, NBITS=15, GMLJP2="YES", GeoJP2="NO") as dataset:
        dataset.write(values, 1)


def make_safe(folder: Path, name: str, bands=("B2", "B3", "B4"), seed: int = 0, manifest: bool = True) -> Path:
    """Write NAME.SAFE with `bands` into `folder`; its path."""
    safe = folder / (name + ".SAFE")
    start = name.split("_")[2]
    for band in bands:
        write_jp2(band_file(safe, band), pixels(band, seed), NATIVE_RESOLUTION[band])
    stamp = f"{start[:4]}-{start[4:6]}-{start[6:8]}T03:17:21.025Z"
    offsets = "".join(f'<RADIO_ADD_OFFSET band_id="{i}">-1000</RADIO_ADD_OFFSET>' for i in range(13))
    (safe / "MTD_MSIL1C.xml").write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_User_Product xmlns:n1="https://psd-15.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">
<n1:General_Info><Product_Info><PRODUCT_START_TIME>{stamp}</PRODUCT_START_TIME>
<PROCESSING_BASELINE>05.11</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>
<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>
<Radiometric_Offset_List>{offsets}</Radiometric_Offset_List></Product_Image_Characteristics></n1:General_Info>
</n1:Level-1C_User_Product>
""")
    grids = "".join(
        f'<Size resolution="{r}"><NROWS>{METRES // r}</NROWS><NCOLS>{METRES // r}</NCOLS></Size>' for r in (10, 20, 60)
    ) + "".join(
        f'<Geoposition resolution="{r}"><ULX>{ULX}</ULX><ULY>{ULY}</ULY><XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>'
        for r in (10, 20, 60))
    (safe / "GRANULE" / GRANULE / "MTD_TL.xml").write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-1C_Tile_ID xmlns:n1="https://psd-15.sentinel2.eo.esa.int/PSD/S2_PDI_Level-1C_Tile_Metadata.xsd">
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:{EPSG}</HORIZONTAL_CS_CODE>{grids}</Tile_Geocoding>
</n1:Geometric_Info></n1:Level-1C_Tile_ID>
""")
    if manifest:
        write_manifest(safe)
    return safe


def write_manifest(safe: Path, algorithm: str = "SHA3-256") -> None:
    """manifest.safe for all that is in the product now."""
    hasher = {"SHA3-256": hashlib.sha3_256, "MD5": hashlib.md5}[algorithm]
    entries = "".join(
        f'<dataObject ID="o{i}"><byteStream size="{path.stat().st_size}"><fileLocation'
        f' href="./{path.relative_to(safe)}"/><checksum checksumName="{algorithm}">'
        f'{hasher(path.read_bytes()).hexdigest().upper()}</checksum></byteStream></dataObject>'
        for i, path in enumerate(sorted(safe.rglob("*"))) if path.is_file() and path.name != "manifest.safe")
    (safe / "manifest.safe").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1">'
        f"<dataObjectSection>{entries}</dataObjectSection></xfdu:XFDU>\n")


def band_file(safe: Path, band: str) -> Path:
    """Where the JP2 of `band` is."""
    start = safe.name.split("_")[2]
    return safe / "GRANULE" / GRANULE / "IMG_DATA" / f"T48PVS_{start}_{file_suffix(band)}.jp2"


def assert_first(path, day: int, bands=("B2", "B3", "B4"), factor: int = 2) -> None:
    """See that the GeoTIFF holds SNAP's First of the product of that day."""
    with rasterio.open(path) as result:
        for index, band in enumerate(bands, 1):
            assert np.array_equal(result.read(index), pixels(band, day)[::factor, ::factor])

"""A product that lies on local disk as a whole, as eojob's engines see it."""

from pathlib import Path

from eojob import engines, safe
from eojob.bands import file_suffix


class LocalProduct(engines.Source):
    """NAME.SAFE in a folder; nothing has to be waited for."""

    def __init__(self, folder: Path, bands: tuple[str, ...]) -> None:
        self.folder, self.name, self.bands, self.wait_seconds = str(folder), folder.stem, bands, 0.0

    def metadata(self) -> safe.Metadata:
        tile, = Path(self.folder).glob("GRANULE/*/MTD_TL.xml")
        return safe.read_metadata(self.name, str(Path(self.folder, safe.PRODUCT_METADATA)), str(tile))

    def band_path(self, band: str) -> str:
        return str(band_file(Path(self.folder), band))

    def wait(self) -> None:
        """Everything is there."""


def band_file(product: Path, band: str) -> Path:
    """The JP2 of `band` ("B2") in the product's folder. Raises ValueError unless there is exactly one."""
    path, = product.glob(f"GRANULE/*/IMG_DATA/*_{file_suffix(band)}.jp2")
    return path

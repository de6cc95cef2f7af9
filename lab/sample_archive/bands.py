"""The 13 spectral bands of the MultiSpectral Instrument (MSI)."""

from typing import NamedTuple


class Band(NamedTuple):
    """One spectral band.

    Wavelengths are in nm, the pixel size `resolution` in m and the solar irradiance in W/m²/µm.
    """

    name: str
    band_id: int
    resolution: int
    wavelength_min: int
    wavelength_max: int
    wavelength_central: float
    solar_irradiance: float

    @property
    def physical_name(self) -> str:
        """Name without the leading zero, as the metadata has it: B1, B8A."""
        return self.name.replace("B0", "B")


BANDS = (
    Band("B01", 0, 60, 414, 474, 444.2, 1914.61),
    Band("B02", 1, 10, 436, 543, 489.0, 1972.03),
    Band("B03", 2, 10, 522, 599, 560.6, 1822.48),
    Band("B04", 3, 10, 630, 703, 666.5, 1506.74),
    Band("B05", 4, 20, 678, 736, 707.1, 1410.66),
    Band("B06", 5, 20, 712, 770, 741.1, 1287.62),
    Band("B07", 6, 20, 753, 816, 784.7, 1154.97),
    Band("B08", 7, 10, 761, 923, 834.6, 1037.17),
    Band("B8A", 8, 20, 834, 898, 865.6, 957.92),
    Band("B09", 9, 60, 916, 979, 947.2, 807.65),
    Band("B10", 10, 60, 1332, 1413, 1372.2, 367.88),
    Band("B11", 11, 20, 1540, 1679, 1612.0, 246.31),
    Band("B12", 12, 20, 2066, 2312, 2191.3, 86.94),
)

RESOLUTIONS = (10, 20, 60)

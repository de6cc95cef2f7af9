"""The operators Resample and Subset: parameters checked and typed as SNAP does, then a description of the result."""

from .errors import operator_error
from .java import JavaObject, Number
from .product import Band, Product

_ANY = None
# Parameter -> (display name, Java type, allowed values, whether the stand-in computes it).
RESAMPLE = {
    "referenceBand": ("Reference band", "String", _ANY, False),
    "targetWidth": ("Target width", "Integer", _ANY, False),
    "targetHeight": ("Target height", "Integer", _ANY, False),
    "targetResolution": ("Target resolution", "Integer", _ANY, True),
    "bandResamplings": ("Band resamplings", "String", _ANY, False),
    "upsampling": ("Upsampling method", "String", ("Nearest", "Bilinear", "Bicubic"), True),
    "downsampling": ("Downsampling method", "String", ("First", "Min", "Max", "Mean", "Median"), True),
    "flagDownsampling": ("Flag downsampling method", "String",
                         ("First", "FlagAnd", "FlagOr", "FlagMedianAnd", "FlagMedianOr"), True),
    "resamplingPreset": ("Resampling preset", "String", _ANY, False),
    "resampleOnPyramidLevels": ("Resample on pyramid levels", "Boolean", _ANY, True),
}
SUBSET = {
    "sourceBands": ("Source bands", "String[]", _ANY, True),
    "bandNames": ("Band names", "String[]", _ANY, True),
    "tiePointGrids": ("Tie point grids", "String[]", _ANY, False),
    "region": ("Region", "Rectangle", _ANY, False),
    "geoRegion": ("Geo region", "Geometry", _ANY, False),
    "referenceBand": ("Reference band", "String", _ANY, False),
    "subSamplingX": ("Sub-sampling X", "int", _ANY, False),
    "subSamplingY": ("Sub-sampling Y", "int", _ANY, False),
    "fullSwath": ("Full swath", "boolean", _ANY, False),
    "vectorFile": ("Vector file", "File", _ANY, False),
    "polygonRegion": ("Polygon region", "String", _ANY, False),
    "copyMetadata": ("Copy metadata", "boolean", _ANY, True),
}


def create(name, parameters, product):
    """The product that operator `name` makes. Raises JavaError with SNAP's words."""
    if name not in OPERATORS:
        raise operator_error(f"No SPI found for operator '{name}'")
    java_class, known, function = OPERATORS[name]
    values = {}
    for key, value in parameters.items():
        if key not in known:
            raise operator_error(f"Operator '{java_class}': Unknown parameter '{key}'.")
        values[key] = _convert(java_class, known[key], value)
        if not known[key][3]:
            raise operator_error(f"Operator '{java_class}': the stand-in does not compute parameter '{key}'")
    if not isinstance(product, Product):
        raise operator_error(f"Operator '{java_class}': Mandatory source product (field 'sourceProduct') not set.")
    product.check()
    return function(values, product)


def _convert(java_class, spec, value):
    """A value as the parameter's Java type; text is parsed, all else must be of the type already."""
    display, wanted, allowed, _ = spec
    fault = f"Operator '{java_class}': Value for '{display}' must be of type '{wanted}'."
    if isinstance(value, str):
        if wanted in ("Integer", "int"):
            try:
                return int(value)
            except ValueError:
                raise operator_error(f"Operator '{java_class}': Cannot convert '{value}' to '{wanted}'") from None
        if wanted in ("Boolean", "boolean"):
            return value.strip().lower() == "true"
        if wanted == "String[]":
            return [item.strip() for item in value.split(",") if item.strip()]
        if allowed and value not in allowed:
            raise operator_error(f"Operator '{java_class}': Value for '{display}' is invalid: '{value}'")
        return value
    if wanted in ("Integer", "int") and isinstance(value, Number) and value.java_name == "java.lang.Integer":
        return value.value
    if wanted in ("Boolean", "boolean") and isinstance(value, bool):
        return value
    if wanted == "String[]" and isinstance(value, (list, tuple)) and not isinstance(value, JavaObject):
        return [str(item) for item in value]
    raise operator_error(fault)


def _resample(values, product):
    resolution = values.get("targetResolution")
    if resolution is None:
        raise operator_error("Operator 'ResamplingOp': none of reference band, target width and height, and target"
                             " resolution is set")
    if resolution <= 0:
        raise operator_error("Operator 'ResamplingOp': Value for 'Target resolution' is out of range")
    downsampling, upsampling = values.get("downsampling", "First"), values.get("upsampling", "Nearest")
    if downsampling not in ("First", "Mean") or upsampling != "Nearest":
        raise operator_error("Operator 'ResamplingOp': the stand-in computes First, Mean and Nearest only, not"
                             f" {downsampling} and {upsampling}")
    if product.resolution is not None:
        raise operator_error("Operator 'ResamplingOp': the stand-in resamples a product once")
    bands = [Band(band.name, band.path, band.native, _size(band, resolution)) for band in product.bands]
    return product.derive("_resampled", resolution=resolution, downsampling=downsampling, bands=bands)


def _size(band, resolution):
    rows, columns = band.size[0] * band.native, band.size[1] * band.native
    whole = resolution % band.native == 0 or band.native % resolution == 0
    if not whole or rows % resolution or columns % resolution:
        raise operator_error(f"Operator 'ResamplingOp': the stand-in computes whole factors only; {resolution} m does"
                             f" not divide band {band.name} of {band.native} m and {band.size[1]} x {band.size[0]}")
    return rows // resolution, columns // resolution


def _subset(values, product):
    names = values.get("sourceBands") or values.get("bandNames") or product.getBandNames()
    for name in names:
        if not product.containsBand(name):
            raise operator_error(f"Source product does not contain a raster named '{name}'.")
    # ProductSubsetBuilder goes through the product's bands: their order stays, whatever the order of the names.
    bands = [band for band in product.bands if band.name in names]
    return product.derive("", bands=bands, copy_metadata=values.get("copyMetadata", False),
                          name="Subset_" + product.name)


OPERATORS = {"Resample": ("ResamplingOp", RESAMPLE, _resample), "Subset": ("SubsetOp", SUBSET, _subset)}

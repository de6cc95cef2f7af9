"""The XML that SNAP puts into tag 65000 of its GeoTIFFs, in short."""

from xml.etree import ElementTree


def header(description, name):
    """DIMAP of what is written; the product's origin only with its metadata (Subset's copyMetadata)."""
    rows, columns = description["shape"]
    step, (ulx, uly) = float(description["resolution"]), description["corner"]
    transform = ",".join(str(value) for value in (step, 0.0, 0.0, -step, ulx, uly))
    root = ElementTree.Element("Dimap_Document", name=name + ".dim")
    _add(root, "Metadata_Id", METADATA_FORMAT="DIMAP", METADATA_PROFILE="BEAM-DATAMODEL-V1")
    _add(root, "Dataset_Id", DATASET_SERIES="BEAM-PRODUCT", DATASET_NAME=name)
    _add(root, "Production", PRODUCT_TYPE="Derived from (S2_MSI_Level-1C)",
         PRODUCT_SCENE_RASTER_START_TIME=description["start"], STAND_IN=description["notice"])
    _add(root, "Coordinate_Reference_System", HORIZONTAL_CS_CODE="EPSG:{}".format(description["epsg"]))
    _add(root, "Geoposition", IMAGE_TO_MODEL_TRANSFORM=transform)
    _add(root, "Raster_Dimensions", NCOLS=columns, NROWS=rows, NBANDS=len(description["bands"]))
    bands = _add(root, "Image_Interpretation")
    for index, band in enumerate(description["bands"]):
        _add(bands, "Spectral_Band_Info", BAND_INDEX=index, BAND_NAME=band["name"], BAND_RASTER_WIDTH=columns,
             BAND_RASTER_HEIGHT=rows, DATA_TYPE="uint16", SCALING_FACTOR="1.0E-4", NO_DATA_VALUE="0.0",
             IMAGE_TO_MODEL_TRANSFORM=transform)
    if description["copy_metadata"]:
        _add(root, "Dataset_Sources", PRODUCT_URI=description["source"])
    return '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent, element, **children):
    child = ElementTree.SubElement(parent, element)
    for name, value in children.items():
        ElementTree.SubElement(child, name).text = str(value)
    return child

"""Sample archive: Sentinel-2 Level-1C products with real pixels, laid out and served like EODATA.

The products look like ESA's (names, tree, metadata, JPEG 2000 layout), but no satellite took them: the pixels
of one small genuine scene are shifted, mirrored and dimmed, so that every product differs from the others.
"""

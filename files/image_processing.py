"""What is done to one Sentinel-2 product. Edit `process` to your needs; the rest of the job follows it.

Run by `mpirun python3 image_processing.py job.json`; the job file says which products, bands and resolution.
"""
from eojob import GPF, ProductIO, job, run


def process(product, output):
    """Bring all bands to one resolution, keep those asked for, write a GeoTIFF."""
    # Resample: downsampling is "First" (SNAP's default), "Mean", or both as "First,Mean"
    resampled = GPF.createProduct("Resample", {
        "targetResolution": job.resolution,
        "downsampling": job.downsampling,
    }, product)

    # Subset: the bands, in the order of the result
    subset = GPF.createProduct("Subset", {
        "sourceBands": job.bands,
        "copyMetadata": True,
    }, resampled)

    ProductIO.writeProduct(subset, output, "GeoTIFF")


if __name__ == "__main__":
    run(process)

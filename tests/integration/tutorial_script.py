"""A user's own MPI script in the shape of the tutorial's: nothing in it knows eocluster. The test writes its own values
for ENDPOINT, ACCESS_KEY and SECRET_KEY, as a user would, and submits it as it is."""

import os

import boto3
import numpy as np
from mpi4py import MPI
from snappy import GPF, HashMap, ProductIO

comm = MPI.COMM_WORLD
bucket_name = "DIAS"
prefix = "Sentinel-2/MSI/L1C/2022/10/01/"
s3_client = boto3.client("s3", endpoint_url="ENDPOINT", aws_access_key_id="ACCESS_KEY",
                         aws_secret_access_key="SECRET_KEY")
chunks = None
if comm.rank == 0:
    listed = s3_client.list_objects(Delimiter="/", Bucket=bucket_name, Prefix=prefix, MaxKeys=8)["CommonPrefixes"]
    chunks = np.array_split(np.array([item["Prefix"] for item in listed]), comm.size)
for key in comm.scatter(chunks, root=0):
    name = key.replace(prefix, "")
    os.system("mkdir " + name)
    os.system("s3cmd get --recursive s3://" + bucket_name + "/" + key + " ~/" + name)
    product = ProductIO.readProduct(name)
    parameters = HashMap()
    parameters.put("targetResolution", 20)
    resampled = GPF.createProduct("Resample", parameters, product)
    parameters = HashMap()
    parameters.put("sourceBands", "B2,B3,B4")
    parameters.put("copyMetadata", "true")
    subset = GPF.createProduct("Subset", parameters, resampled)
    ProductIO.writeProduct(subset, name, "GeoTiff")

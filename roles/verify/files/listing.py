"""List one page of the archive with boto3 and the profile that the job uses: listing.py BUCKET PREFIX."""
import sys

import boto3
from botocore.config import Config

client = boto3.Session(profile_name="eodata").client("s3", config=Config(s3={"addressing_style": "path"}))
answer = client.list_objects_v2(Bucket=sys.argv[1], Prefix=sys.argv[2], Delimiter="/", MaxKeys=5)
print("\n".join(item["Prefix"] for item in answer.get("CommonPrefixes", ())))

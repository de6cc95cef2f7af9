"""The job's benchmark: this kit's job against the tutorial's workflow, on the same products through the same network.

Run it with `make bench`, or `PYTHONPATH=benchmarks:lab:files python -m job --help`.
"""

"""How evenly a job shares its products: simulated for many ranks, measured with those that this machine can start.

Run it with `make bench-parts`, or `PYTHONPATH=benchmarks:lab:files python -m schedule --help`.
"""

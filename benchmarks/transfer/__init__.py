"""Clients of object storage against each other, on the objects that the job needs: `python -m transfer`."""

"""What the profiles of a result cost, in seconds and bytes: `python -m write`."""

"""Entry point of `python -m sample_archive`."""

import sys

from sample_archive.cli import main

if __name__ == "__main__":
    sys.exit(main())

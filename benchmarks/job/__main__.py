"""Entry point of `python -m job`."""

import sys

from job.bench import main

if __name__ == "__main__":
    sys.exit(main())

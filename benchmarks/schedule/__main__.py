"""Entry point of `python -m schedule`."""

import sys

from schedule.command import main

if __name__ == "__main__":
    sys.exit(main())

"""`python3 -m eojob`: see cli."""

import sys

from .cli import main

sys.exit(main())

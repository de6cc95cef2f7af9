"""What bin/gpt and bin/snap start: `java THIS_FOLDER gpt|snap BIN_FOLDER ARGUMENTS`."""

import sys

from standin_engine import desktop, gpt

if __name__ == "__main__":
    program, folder = sys.argv[1], sys.argv[2]
    sys.exit({"gpt": gpt.main, "snap": desktop.main}[program](folder, sys.argv[3:]))

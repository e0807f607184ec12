"""`python -m tests.ha.guard FOLDER`: when standard input ends, end all that works in the folder and remove it."""

import shutil
import sys
from pathlib import Path

from tests.ha.machines import end_all

if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_all(Path(sys.argv[1]))
    shutil.rmtree(sys.argv[1])

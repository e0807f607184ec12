"""The long form of the kill loop: `python -m tests.proofs.durability.torture 500`."""

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from deskroster.testing import StillClock
from tests import world
from tests.faults.disk import compiled
from tests.in_process import InProcess
from tests.proofs.durability import crashes

ROUNDS = 25  # on one folder


def main(rounds: int) -> None:
    seed = random.randrange(1 << 32)
    began = time.monotonic()
    with TemporaryDirectory() as name:
        folder = Path(name)
        library = compiled(folder)
        desk = InProcess(folder / "prepared", StillClock())
        desk.add_company(world.COMPANY, world.records())
        desk.close()
        for first in range(0, rounds, ROUNDS):
            here = folder / f"{first}"
            here.mkdir()
            print(f"seed {seed + first}", flush=True)
            print(
                crashes.run(folder / "prepared", here, library, min(ROUNDS, rounds - first), seed + first), flush=True
            )
    print(f"{rounds} rounds in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""`python -m tests.fuzz.coverage TARGET SECONDS`: fuzz one target, led by which code its inputs reach.

It ends with status 0 unless an input was read wrongly; standard error has that input, in base64.
"""

import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deskroster.dialect", "deskroster.dialects", "json"]):
    from tests.fuzz.targets import TARGETS

MEMORY = 2_048  # MiB that a target may take


def main(name: str, seconds: str) -> None:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        options = [
            f"-max_total_time={seconds}", "-max_len=4096", "-timeout=5", f"-artifact_prefix={folder}/",
            f"-rss_limit_mb={MEMORY + inherited()}",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
        atheris.Fuzz()


def inherited() -> int:
    """Return the MiB that whoever started this process had at most: Linux counts them as its own (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024


if __name__ == "__main__":
    main(*sys.argv[1:])

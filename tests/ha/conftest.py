"""One cluster with two Deskroster processes, for all tests: it is mended after each fault."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deskroster.testing import Account
from tests.ha import needs
from tests.ha.cluster import Cluster
from tests.ha.desks import Desk, pair
from tests.ha.machines import guarded


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """Give a folder that everybody may enter. What runs in it ends with these tests, however they end."""
    if missing := needs.missing():
        pytest.exit(missing, returncode=2)
    folder = Path(tempfile.mkdtemp(prefix="deskroster-ha-")).resolve()
    folder.chmod(0o755)
    guard = guarded(folder)
    try:
        yield folder
    finally:
        guard.communicate()


@pytest.fixture(scope="session")
def cluster(place: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Give a healthy cluster. When a test has failed, the ends of all logs are shown."""
    cluster = Cluster(place)
    try:
        cluster.up()
        yield cluster
    finally:
        if request.session.testsfailed:
            print(*cluster.logs(), sep="\n\n")
        cluster.down()


@pytest.fixture(scope="session")
def served(place: Path, cluster: Cluster) -> Iterator[tuple[tuple[Desk, Desk], Account]]:
    """Give two processes on the cluster, and their administrator."""
    with ExitStack() as stack:
        yield pair(place, cluster.url, stack)

"""Looking a copy over in a process of its own, whatever becomes of that process."""

import asyncio
import os
import signal
import sys

import pytest

from deskroster.ledger import Failed, Vault, apart
from deskroster.ledger.vault import new_key
from tests.ledger.support import opened

pytestmark = pytest.mark.once


@pytest.fixture(params=["default", "ignored"])
def children(request):
    """Have ended children kept for their parent, or reaped at once, as where a server is process 1."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN if request.param == "ignored" else signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, before)


def test_a_whole_copy_is_found_whole(tmp_path, children, monkeypatch):
    monkeypatch.setattr(apart, "SMALL", 0)

    async def run():
        async with opened(tmp_path / "data") as (store, _):
            vault = store.vault
        return await apart.findings(tmp_path / "data" / "deskroster.db", vault)

    (tmp_path / "data").mkdir()
    assert [] == asyncio.run(run())


@pytest.mark.parametrize(
    "code", ["raise SystemExit('it broke')", "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_check_that_ends_without_a_result_has_failed(tmp_path, children, monkeypatch, code):
    monkeypatch.setattr(apart, "SMALL", 0)
    monkeypatch.setattr(apart, "_START", (sys.executable, "-c", code))
    (tmp_path / "copy").write_bytes(os.urandom(64))

    with pytest.raises(Failed, match="without a result"):
        asyncio.run(apart.findings(tmp_path / "copy", Vault(new_key())))

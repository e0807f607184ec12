"""A rotation of the installation key that is interrupted at any step."""

import asyncio

import pytest

from deskroster.ledger import (
    Store,
)
from deskroster.ledger.installation import NEXT_KEY
from deskroster.ledger.upkeep.rotate_key import change_key
from tests.ledger.support import TOKEN, opened, state

pytestmark = pytest.mark.once


@pytest.mark.parametrize("interrupted", ["", "before", "after"])
def test_a_new_installation_key_opens_everything_wherever_its_change_is_interrupted(tmp_path, interrupted, monkeypatch):
    async def run():
        async with opened(tmp_path) as (_, ledger):
            before = state(ledger.roster)
        store = Store.open(tmp_path)
        if interrupted == "before":
            monkeypatch.setattr(store._engine, "write_now", lambda job: 1 // 0)
        if interrupted == "after":
            monkeypatch.setattr("deskroster.ledger.installation.finish_key_change", lambda folder, known: 1 // 0)
        if interrupted:
            with pytest.raises(ZeroDivisionError):
                change_key(tmp_path, store._engine, store.vault)
        else:
            change_key(tmp_path, store._engine, store.vault)
        monkeypatch.undo()
        await store.close()
        async with opened(tmp_path) as (store, ledger):
            assert before == state(ledger.roster)
            assert TOKEN == ledger.roster.keys[1].secret.reveal()
            assert [] == await store.check()
            assert not (tmp_path / NEXT_KEY).exists()

    asyncio.run(run())

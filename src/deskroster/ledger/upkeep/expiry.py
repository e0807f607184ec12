"""Forgetting: what has had its time is removed once a minute, in short jobs, so that nobody waits long for one."""

from deskroster.clocks import Clock, Wall
from deskroster.ledger.beside import idempotency
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.engines import Engine, introspection
from deskroster.ledger.engines.sqlite import nonce_file

_JUMP = 60  # seconds by which the database's clock may go otherwise than ours in a minute, without being set


class Forgetting:
    """What one process removes, and when it may.

    The clock of a shared database can be set as any other: set ahead, it would have all nonces forgotten, and they
    could be used again when it is set right. So a process removes none before it has seen that clock run evenly for
    their lifetime; and first answers only when its own clock that goes forward says so too.
    """

    def __init__(self, engine: Engine, vault: Vault, clock: Clock, forward: Wall) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._forward = forward
        self._offset: float | None = None  # of the database's clock from ours that only goes forward
        self._even_since = 0.0

    async def forget(self) -> None:
        """Remove all that has had its time, by the clock of a database that is shared and by ours.

        Answers that a clock which ran ahead has dated later are dated anew: they would be kept for longer.
        """
        shared, forward, steady = self._engine.asking is not None, self._forward(), self._clock.steady()
        wall = self._clock()
        now = await self._engine.read(lambda db: introspection.moment(db, wall)) if shared else wall
        old = int(min(now, forward) if shared else forward) - idempotency.LIFETIME
        while await self._engine.write(lambda db: idempotency.forget(db, old)) == idempotency.AT_ONCE:
            pass
        if shared and self.may(now, steady):
            while await self._engine.write(lambda db: nonce_file.forget(db, int(now))) == nonce_file.AT_ONCE:
                pass
        at = int(now if shared else forward)
        await self._engine.write(lambda db: idempotency.redate(db, self._vault, at))

    def may(self, theirs: float, steady: float) -> bool:
        """Take note of what the database's clock shows; tell whether nonces that are over by it may be removed."""
        offset = theirs - steady
        if self._offset is None or abs(offset - self._offset) > _JUMP:
            self._even_since = steady
        self._offset = offset
        return steady - self._even_since >= nonce_file.LIFETIME

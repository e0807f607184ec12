"""What has had its time is removed at the cost of what is removed, however much is kept, and never much at once."""

from deskroster.ledger.beside import idempotency
from deskroster.ledger.beside.idempotency import StoredReply
from tests.ledger.support import NOW, plan

DAY = idempotency.LIFETIME


KEPT = 3_000


def filled(db, vault, company_id, first, count, at):
    kept = {b"key %d" % number: StoredReply(b"request", b"reply") for number in range(first, first + count)}
    idempotency.store(db, vault, company_id, kept, at)


def ages(db):
    return sorted(at for (at,) in db.execute("SELECT at FROM replies").fetchall())


def test_answers_that_have_had_their_day_are_removed_the_oldest_first_and_so_many_at_once(run):
    async def work(store, _):
        await store._engine.write(lambda db: filled(db, store.vault, 1, 0, 5, NOW - DAY))
        await store._engine.write(lambda db: filled(db, store.vault, 1, 10, 5, NOW - DAY - 9))
        await store._engine.write(lambda db: filled(db, store.vault, 1, 20, 5, NOW - DAY + 1))

        removed = [await store._engine.write(lambda db: idempotency.delete_expired(db, NOW - DAY, 7)) for _ in range(3)]

        assert [7, 3, 0] == removed
        assert [NOW - DAY + 1] * 5 == await store._engine.read(ages)

    run(work)


def test_the_minute_s_upkeep_removes_all_of_them_in_short_jobs(run, monkeypatch):
    monkeypatch.setattr(idempotency, "BATCH", 100)
    removed = []
    real = idempotency.delete_expired

    def forget(db, before):
        removed.append(real(db, before, 100))
        return removed[-1]

    monkeypatch.setattr(idempotency, "delete_expired", forget)

    async def work(store, ledger):
        await store._engine.write(lambda db: filled(db, store.vault, 1, 0, 250, NOW - DAY))
        await store._engine.write(lambda db: filled(db, store.vault, 1, 300, 2, NOW))
        ledger.key_used(1, "A", NOW)
        await store.upkeep.run_once()

        assert [100, 100, 50] == removed
        assert [NOW] * 2 == await store._engine.read(ages)

    run(work)


def searched(found, table):
    """Tell whether a table is read by an index, and no row that is not wanted."""
    return f"SCAN {table}" not in found and f"Seq Scan on {table}" not in found


def plans(db):
    key = db.execute("SELECT key FROM replies LIMIT 1").fetchone()
    return [plan(db, idempotency._EXPIRED, (NOW - DAY, 1_000)), plan(db, idempotency._DELETE, (1, key[0]))]


async def with_many(store, job):
    """Run a job where many answers are kept and few are old, and the database knows it."""

    def asked(db):
        filled(db, store.vault, 1, 0, KEPT, NOW)
        filled(db, store.vault, 1, KEPT, 20, NOW - DAY)
        db.execute("ANALYZE replies")
        return job(db)

    return await store._engine.write(asked)


def test_old_answers_are_found_by_an_index(run):
    async def work(store, _):
        for found in await with_many(store, plans):
            assert searched(found, "replies"), found

    run(work)


def test_control_without_the_index_a_scan_is_noticed(run):
    async def work(store, _):
        def without(db):
            db.execute("DROP INDEX ix_replies_at")
            return plans(db)

        assert not all(searched(found, "replies") for found in await with_many(store, without))

    run(work)

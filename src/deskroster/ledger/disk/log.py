"""The change log: every commit with the old and new values, in a hash chain. It holds no secrets."""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, insert, select, tuple_, update

from deskroster.core.changes import Change, Commit, Origin
from deskroster.core.problems import Damaged
from deskroster.core.records import AnyRecord, Kind, Secret
from deskroster.ledger.disk import fields, tables
from deskroster.ledger.disk.vault import Vault
from deskroster.ledger.disk.writing import ZERO_HASH, Row, as_json, limited_sql, sql, upsert_sql
from deskroster.ledger.engines import Db
from deskroster.ledger.files import forms
from deskroster.ledger.files.forms import form_of, mark
from deskroster.texts import said

PAGE = 1_000  # rows that are fetched at once


def append(
    connection: Db,
    vault: Vault,
    company_id: int,
    commits: Sequence[Commit],
    previous: bytes,
    next_ids: dict[Kind, int],
    attempt: str,
) -> bytes:
    """Append commits to the log; return the hash of the last.

    `previous` is the hash of the commit before. `attempt` is from `new_attempt`, and used in this transaction alone.
    """
    form = mark(forms.COMMIT)
    commit_rows: list[Row] = []
    all_change_rows: list[Row] = []
    for number, at, origin, changes in commits:
        note = None if origin.note is None else as_json(origin.note)
        request_id = f"{origin.request_id}{_ATTEMPT_SEPARATOR}{attempt}"
        facts = (company_id, number, at, origin.agent_id, origin.dialect, origin.address, request_id, note)
        change_rows = [_change_row(change) for change in changes]
        hash = form + _hash(form + previous, facts, change_rows)
        commit_rows.append((*facts, previous, hash))
        all_change_rows += [(company_id, number, ordinal, *change) for ordinal, change in enumerate(change_rows)]
        previous = hash
    connection.executemany(_INSERT_COMMIT, commit_rows)
    connection.executemany(_INSERT_CHANGE, all_change_rows)
    move_head(connection, vault, company_id, (commits[-1].number, as_json(next_ids), previous))
    return previous


def move_head(connection: Db, vault: Vault, company_id: int, log_end: Row) -> None:
    """Store the end of the log in the company's row: number, next ids, hash, and its checksum."""
    connection.execute(_MOVE_HEAD, (*log_end, anchor(vault, company_id, log_end), company_id))


def anchor(vault: Vault, company_id: int, log_end: Row) -> bytes:
    """Return the checksum of the end of the log, which detects a truncated log."""
    return vault.checksums(company_id, _ANCHOR)(log_end)


def anchored(vault: Vault, company_id: int, log_end: Row, written: bytes) -> bool:
    """Tell whether the checksum of the end of the log is right. Raises NewerData."""
    return vault.has_checksum(company_id, _ANCHOR, log_end, written)


def new_attempt() -> str:
    """Return a random name for an attempt to write, unique across processes."""
    return os.urandom(_ATTEMPT_BYTES).hex()


def find(connection: Db, company_id: int, number: int, attempt: str) -> bytes | None:
    """Return the hash of the commit with this number if this attempt wrote it; None if the log does not have it."""
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    return row[1] if row is not None and row[0].endswith(_ATTEMPT_SEPARATOR + attempt) else None


def head(connection: Db, company_id: int) -> tuple[int, str]:
    """Return the number of the last commit, and its hash in hex."""
    number, hash = connection.execute(_HEAD, (company_id,)).fetchone()
    return number, hash.hex()


class Broken(Damaged):
    """The hash chain is broken: a commit is missing, or was altered."""

    def __init__(self, company_id: int, number: int) -> None:
        super().__init__(
            said("the log of company {company_id} is broken at commit {number}", company_id=company_id, number=number)
        )
        self.number = number


class LoggedCommit(NamedTuple):
    """A commit as stored in the log: without secrets, and with only the fields that changed."""

    number: int
    at: int
    origin: Origin
    changes: list[Row]  # kind, id, before, after
    hash: bytes


def commits(
    connection: Db, company_id: int, since: int = 0, expected_hash: bytes | None = None
) -> Iterator[LoggedCommit]:
    """Yield every commit after the commit `since`, and verify the hash chain.

    Raises Broken, also at the end, or if `since` has not the expected hash; NewerData for a commit of a later form.
    """
    previous, expected_number = _hash_of(connection, company_id, since), since + 1
    if expected_hash is not None and previous != expected_hash:
        raise Broken(company_id, since)
    changes = _in_pages(connection, _CHANGES, company_id, (since + 1, -1), slice(0, 2))
    change = next(changes, None)
    for *facts, before, hash in _in_pages(connection, _COMMITS, company_id, (since,), slice(1, 2)):
        number: int = facts[1]
        change_rows: list[Row] = []
        while change is not None and change[0] <= number:
            if change[1] != len(change_rows):
                raise Broken(company_id, expected_number)
            change_rows.append(change[2:])
            change = next(changes, None)
        if number != expected_number or before != previous or not _has_right_hash(previous, facts, change_rows, hash):
            raise Broken(company_id, expected_number)
        yield LoggedCommit(number, facts[2], _origin(*facts[3:]), change_rows, hash)
        previous, expected_number = hash, expected_number + 1
    log_end = connection.execute(_HEAD, (company_id,)).fetchone()
    if change is not None or log_end != (expected_number - 1, previous):
        raise Broken(company_id, expected_number)


def _in_pages(connection: Db, statement: str, company_id: int, after: Row, key: slice) -> Iterator[Row]:
    """Yield rows in the order of their key, after one key. At most `PAGE` rows are fetched at once.

    Each page is a statement of its own: without a server-side cursor, PostgreSQL sends all rows of a statement.
    """
    while True:
        rows = connection.execute(statement, (company_id, *after)).fetchall()
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][key]


def _origin(agent_id: int | None, dialect: str, address: str, request_id: str, note: str | None) -> Origin:
    decoded_note = None if note is None else msgspec.json.decode(note)
    return Origin(agent_id, dialect, address, request_id.partition(_ATTEMPT_SEPARATOR)[0], decoded_note)


def verify(connection: Db, company_id: int, since: int, most: int | None = None) -> int:
    """Verify the hash chain after the commit `since`, to the end or until `most` changes were read. Raises Broken.

    Return the number of the last commit that was verified. The cost is that of `most` changes, the rest of a commit and
    a page.
    """
    count = 0
    for commit in commits(connection, company_id, since):
        since, count = commit.number, count + len(commit.changes)
        if most is not None and count >= most:
            break
    return since


def verified(connection: Db, vault: Vault, company_id: int) -> int:
    """Return the number of the last commit that was verified, as stored. Raises Damaged."""
    row = connection.execute(_VERIFIED, (company_id,)).fetchone()
    if row is None:
        return 0
    _, number, checksum = row
    if not vault.has_checksum(company_id, "verified", (number,), checksum):
        raise Damaged(
            said("how far the log of company {company_id} was verified is not as it was written", company_id=company_id)
        )
    return int(number)


def note_verified(connection: Db, vault: Vault, company_id: int, number: int) -> None:
    """Store up to which commit the log was verified."""
    connection.execute(_VERIFY, (company_id, number, vault.checksums(company_id, "verified")((number,))))


def has(connection: Db, company_id: int, number: int, hash: bytes) -> bool:
    """Tell whether the commit with this number has this hash."""
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    return row is not None and row[1] == hash


def _hash_of(connection: Db, company_id: int, number: int) -> bytes:
    if number == 0:
        return ZERO_HASH
    row = connection.execute(_REQUEST, (company_id, number)).fetchone()
    if row is None:
        raise Broken(company_id, number)
    hash: bytes = row[1]
    return hash


def _change_row(change: Change) -> Row:
    before, after = change.before, change.after
    if before is None or after is None:
        return change.kind, change.id, _all_fields(before), _all_fields(after)
    old, new = fields.difference(before, after)
    return change.kind, change.id, _ENCODER.encode(old).decode(), _ENCODER.encode(new).decode()


def _all_fields(record: AnyRecord | None) -> str | None:
    return None if record is None else _ENCODER.encode(fields.all_fields(record)).decode()


def _encode_secret(secret: object) -> dict[str, bool]:
    if isinstance(secret, Secret):
        return {"secret": True}
    raise NotImplementedError(type(secret))


def _has_right_hash(previous: bytes, facts: Sequence[Any], change_rows: Sequence[Row], hash: bytes) -> bool:
    """Tell whether a commit has the right hash, in its form. Raises NewerData."""
    what = said("commit {number} of company {company_id}", number=facts[1], company_id=facts[0])
    form = form_of(what, hash, len(ZERO_HASH), forms.COMMIT)
    # From form 2 on the mark is hashed too, and of lists of ids only the difference is stored.
    prefix = b"" if form == 1 else mark(form)
    return form > 0 and hash == prefix + _hash(prefix + previous, facts, change_rows)


def _hash(previous: bytes, facts: Sequence[Any], change_rows: Sequence[Row]) -> bytes:
    return sha256(previous + msgspec.json.encode((facts, change_rows))).digest()


_ATTEMPT_BYTES = 12
_ATTEMPT_SEPARATOR = "/"  # between the id of a request and the attempt that wrote its commit
_ANCHOR = "anchor"
_ENCODER = msgspec.json.Encoder(enc_hook=_encode_secret)
_commits, _changes, _companies = tables.commits.c, tables.changes.c, tables.companies.c
_INSERT_COMMIT, _INSERT_CHANGE = sql(insert(tables.commits)), sql(insert(tables.changes))
_MOVE_HEAD = sql(
    update(tables.companies)
    .where(_companies.company_id == bindparam("key"))
    .values({name: bindparam(name) for name in ("number", "next_ids", "head", "anchor")})
)
_REQUEST = sql(
    select(_commits.request_id, _commits.hash).where(
        _commits.company_id == bindparam("key"), _commits.number == bindparam("at_number")
    )
)
_COMMITS = limited_sql(
    select(tables.commits)
    .where(_commits.company_id == bindparam("key"), _commits.number > bindparam("since"))
    .order_by(_commits.number),
    PAGE,
)
_CHANGES = limited_sql(
    select(*(_changes[name] for name in ("number", "ordinal", "kind", "record_id", "before", "after")))
    .where(
        _changes.company_id == bindparam("key"),
        tuple_(_changes.number, _changes.ordinal) > tuple_(bindparam("since"), bindparam("past")),
    )
    .order_by(_changes.number, _changes.ordinal),
    PAGE,
)
_HEAD = sql(select(_companies.number, _companies.head).where(_companies.company_id == bindparam("key")))
_VERIFIED = sql(select(tables.verified).where(tables.verified.c.company_id == bindparam("key")))
_VERIFY = upsert_sql(tables.verified)

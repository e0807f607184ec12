"""Keys as JSON. A key's secret is in one answer only: that to its creation."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from deskroster.core.records import Access, Key
from deskroster.desk import Desk
from deskroster.dialect.limits import Id, Name
from deskroster.dialects.own.shapes import Moment, moment


class KeyBody(Struct, frozen=True):
    """A key for an agent. Without dialects it is good for all; without an end it has none."""

    agent_id: Id
    name: Name
    access: Access = "write"
    dialects: list[str] = []
    expires_at: Moment | None = None


class KeyOut(Struct, frozen=True, kw_only=True):
    """A key without its secret. `last_form` is the signature form of its last use."""

    id: int
    agent_id: int
    name: str
    access: Access
    dialects: tuple[str, ...]
    state: Literal["live", "expired", "revoked"]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    last_form: str


class NewKey(KeyOut, frozen=True, kw_only=True):
    secret: str


class KeyList(Struct, frozen=True):
    items: list[KeyOut]
    total: int


def key_out(key: Key, desk: Desk) -> KeyOut:
    last = desk.last("key", key.id)
    return KeyOut(
        id=key.id,
        agent_id=key.agent_id,
        name=key.name,
        access=key.access,
        dialects=key.dialects,
        state="live" if key.live(desk.now()) else "expired" if key.revoked_at is None else "revoked",
        created_at=moment(key.created_at),
        expires_at=None if key.expires_at is None else moment(key.expires_at),
        revoked_at=None if key.revoked_at is None else moment(key.revoked_at),
        last_used_at=None if last is None else moment(last.at),
        last_form="" if last is None else last.form,
    )


def new_key(key: Key, desk: Desk) -> NewKey:
    return NewKey(**asdict(key_out(key, desk)), secret=key.secret.reveal())

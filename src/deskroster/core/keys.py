"""Verbs and queries on keys: the secrets by which agents' programs sign and log in."""

from collections.abc import Iterable

from deskroster.core import moments, text
from deskroster.core.access import Caller, Permission
from deskroster.core.changes import Change, changed, created
from deskroster.core.problems import Invalid, Rule
from deskroster.core.records import Access, Agent, Key, Secret
from deskroster.core.roster import Roster
from deskroster.core.table import Page, Window

MAX_KEYS = 100  # of one agent, revoked ones included: a signature is compared with each live one

_NOBODY = Agent(id=0, name="", email="")
_NO_KEY = Key(id=0, agent_id=0, name="", secret=Secret("0" * 36))


def create(
    roster: Roster,
    caller: Caller,
    agent_id: int,
    name: str,
    secret: Secret,
    at: int,
    *,
    access: Access = "write",
    dialects: Iterable[str] = (),
    expires_at: int | None = None,
) -> list[Change]:
    """Give an agent a key. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_KEYS)
    roster.agents.find(agent_id)
    if len(roster.keys_of.get(agent_id, ())) >= MAX_KEYS:
        raise Invalid("keys", Rule.TOO_MANY, MAX_KEYS)
    if expires_at is not None and not at < expires_at <= moments.LAST:
        raise Invalid("expires_at", Rule.RANGE)
    key = Key(
        id=roster.next_id("key"),
        agent_id=agent_id,
        name=text.name("name", name),
        secret=secret,
        access=access,
        dialects=tuple(sorted(set(dialects))),
        created_at=at,
        expires_at=expires_at,
    )
    return [created(key)]


def issue(roster: Roster, caller: Caller, agent_id: int, dialect: str, secret: Secret, at: int) -> list[Change]:
    """Give an agent a token for a dialect, unless there is one. Raises Forbidden, NotFound or Invalid."""
    caller.must(Permission.WRITE_KEYS)
    if token(roster, agent_id, dialect, at) is not None:
        return []
    return create(roster, caller, agent_id, dialect, secret, at, dialects=())


def revoke(roster: Roster, caller: Caller, id: int, at: int) -> list[Change]:
    """End a key, at once. Raises Forbidden or NotFound."""
    caller.must(Permission.WRITE_KEYS)
    key = roster.keys.find(id)
    return [] if key.revoked_at is not None else changed(key, revoked_at=at)


def find(roster: Roster, caller: Caller, window: Window) -> Page:
    """Return a page of the keys. Raises Forbidden."""
    caller.must(Permission.WRITE_KEYS)
    return roster.keys.page(window)


def live(roster: Roster, agent_id: int, dialect: str, now: int) -> list[Key]:
    """Return the keys by which an agent may sign in a dialect now, by ascending id."""
    keys = (roster.keys.rows[i] for i in roster.keys_of.get(agent_id, ()))
    return [key for key in keys if key.live(now) and (not key.dialects or dialect in key.dialects)]


def token(roster: Roster, agent_id: int, dialect: str, now: int) -> Key | None:
    """Return the oldest live key that allows in a dialect all that its agent may do, as a vendor's token does."""
    return next((key for key in live(roster, agent_id, dialect, now) if key.access == "write"), None)


def tried(roster: Roster, email: str, dialect: str | None, now: int) -> list[Key]:
    """Return the live keys of the agent with this e-mail in a dialect (None: in any), to compare a secret with each.

    There is always one: for an unknown e-mail, or an agent who may not sign, it is a dummy with the id 0, found in the
    same steps. So an unknown e-mail takes as long as a wrong secret. A caller must refuse the id 0.
    """
    id = roster.by_email.get(email.lower(), 0) if text.may_be_email(email) else 0
    agent, rows = roster.agents.rows.get(id, _NOBODY), roster.keys.rows
    live = [
        key
        for i in roster.keys_of.get(id, (0,))
        if (key := rows.get(i, _NO_KEY)).live(now) and (not key.dialects or dialect is None or dialect in key.dialects)
    ]
    return live if agent.active and live else [_NO_KEY]

"""Identification: for which company a request is, and who asks. By a dialect's credentials; `admin` has another one."""

from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from deskroster.core.problems import Doubt, Unauthenticated
from deskroster.desk import Admitted, Desk, Desks
from deskroster.dialect import Dialect
from deskroster.dialect.hosts import Hosts
from deskroster.dialect.problems import UnknownCompany
from deskroster.dialect.request import Request


class Identification(Protocol):
    """A way to find out for which company a request is, and who asks. `DialectApp` calls the two in this order."""

    async def company(self, request: Request) -> Desk | None:
        """Return the company that a request names before its body is read. Raises BadHost, UnknownCompany or Busy.

        None where its credentials name the company; never for a route that needs none.
        """

    def origins(self, request: Request) -> Collection[str]:
        """Return whose pages may call the company of a request; any company's where only its credentials name it."""

    async def identify(self, request: Request, desk: Desk | None) -> Desk:
        """Find out who asks for a company. Set `desk`, `identity` and `caller` of the request, and return the desk.

        None stands for the company that the credentials name. Raises Unauthenticated, TooManyGuesses or Busy.
        """


class Credentials:
    """Identifies by the credentials of a dialect, for the company that the Host header names.

    Where the dialect has an `account`, one host serves all companies. If there are several, the company is the one that
    has an agent with the account's e-mail and whose roster verifies the credentials.
    """

    def __init__(self, dialect: Dialect, desks: Desks, hosts: Hosts) -> None:
        self._prove = dialect.authenticate
        self._account = dialect.account
        self._desks = desks
        self._hosts = hosts

    async def company(self, request: Request) -> Desk | None:
        sent = request.sent_host
        desk = None if sent is None else self._desks.at_hand(sent)
        if desk is not None and (self._account is None or desk is self._desks.only):
            return desk
        if not self._hosts.allow(request.host):  # before anything is looked up
            raise UnknownCompany
        if self._account is not None and self._desks.only is None and request.route.needs is not None:
            return None
        return known(await self._desks.of_host(request.host))

    def origins(self, request: Request) -> Collection[str]:
        if request.desk is not None:
            return request.desk.roster.company.cors_origins
        if self._account is not None and self._desks.only is None:
            return self._desks.origins()
        return self._desks.origins_of(request.header(b"host") or "")

    async def identify(self, request: Request, desk: Desk | None) -> Desk:
        if desk is None:
            return await self._by_account(request)
        changes = self._desks.changes
        admitted = await desk.authenticate(self._prove, request)
        if changes != self._desks.changes:  # while this waited: the host may name another company now
            named = await self.company(request)
            if named is not desk:
                return await self.identify(request, named)
        return _admit(request, desk, admitted)

    async def _by_account(self, request: Request) -> Desk:
        """Try each company that has the account. Raises what the last one is refused by."""
        assert self._account is not None
        candidates = await self._desks.of_email(self._account(request))
        if not candidates:
            raise Unauthenticated(Doubt.WRONG)
        for candidate in candidates[:-1]:
            with suppress(Unauthenticated):
                return await self._verify(request, candidate)
        return await self._verify(request, candidates[-1])

    async def _verify(self, request: Request, desk: Desk) -> Desk:
        return _admit(request, desk, await desk.authenticate(self._prove, request))


def known(desk: Desk | None) -> Desk:
    """Return the desk of a company. Raises UnknownCompany where there is none."""
    if desk is None:
        raise UnknownCompany
    return desk


def _admit(request: Request, desk: Desk, admitted: Admitted) -> Desk:
    """Set whose request it is, and what they may. Raises Unauthenticated if the identity no longer stands."""
    request.desk, request.identity, request.nonce = desk, admitted.identity, admitted.nonce
    request.caller = desk.caller(admitted.identity)
    return desk

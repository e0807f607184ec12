"""What is refused before the core is asked: the second closed set, of facts about the request itself."""

from typing import ClassVar, Literal


class Rejection(Exception):
    """What every such refusal is."""


class UnknownPath(Rejection):
    """No route of the dialect has this path."""


class MethodNotAllowed(Rejection):
    """The path is known, the method is not one of `allow`."""

    def __init__(self, allow: str) -> None:
        super().__init__(allow)
        self.allow = allow


class BadHost(Rejection):
    """The Host header is missing, repeated or no host."""


class UnknownCompany(Rejection):
    """No company has the host's first label."""


class TooLarge(Rejection):
    """A part of the request is over its limit: the `body`, the `query` or the whole `head`."""

    STATUSES: ClassVar[dict[str, int]] = {"body": 413, "query": 414, "head": 431}  # RFC 9110 and RFC 6585

    def __init__(self, part: Literal["body", "query", "head"] = "body") -> None:
        super().__init__(part)
        self.part = part
        self.status = self.STATUSES[part]


class TooSlow(Rejection):
    """The request has not come whole within its deadline."""


class MediaType(Rejection):
    """The body is of another media type than the dialect reads: those of `readable`.

    Or it is encoded (`encoding`: how), or `is_json` though its media type says that it is a form.
    """

    def __init__(self, readable: tuple[str, ...], encoding: str = "", is_json: bool = False) -> None:
        super().__init__(readable, encoding, is_json)
        self.readable = readable
        self.encoding = encoding
        self.is_json = is_json


class Malformed(Rejection):
    """A part of the request is not what it says it is: `body`, `query`, a header by its name, or `HTTP` itself."""

    def __init__(self, part: str = "body") -> None:
        super().__init__(part)
        self.part = part


class TooMany(Rejection):
    """Too many calls or guesses; the next is heard in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Incident(Rejection):
    """Something failed that should not; the log tells more under this id."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id


AnyRejection = (
    UnknownPath
    | MethodNotAllowed
    | BadHost
    | UnknownCompany
    | TooLarge
    | TooSlow
    | MediaType
    | Malformed
    | TooMany
    | Incident
)

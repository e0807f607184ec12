"""The closed set of refusals: facts, no sentences and no HTTP status. A dialect words them."""

from enum import Enum, auto
from typing import NamedTuple

from deskroster.core.records import Kind


class Rule(Enum):
    """What a value must be and is not."""

    REQUIRED = auto()  # absent or null
    EMPTY = auto()
    TOO_LONG = auto()  # limit: most code points
    TOO_SHORT = auto()  # limit: least code points
    TOO_MANY = auto()  # limit: most elements
    CHARACTERS = auto()  # holds a character that this text may not have
    TYPE = auto()  # of another JSON type
    EMAIL = auto()
    CHOICE = auto()  # none of the values it may have
    RANGE = auto()  # a number that is too small, too large or not whole
    FORM = auto()  # text of another form than its field prescribes
    UNKNOWN = auto()  # points at what does not exist
    READ_ONLY = auto()
    INAPPLICABLE = auto()  # goes with other types of a field, not with this one
    STAFF_ONLY = auto()  # a customer, where only staff is kept


class Wanted(Enum):
    """What a value has to be: its JSON type, or its form."""

    INTEGER = auto()
    TEXT = auto()
    BOOLEAN = auto()
    OBJECT = auto()
    REFERENCE = auto()  # an object with an id
    INTEGERS = auto()  # an array of them, as the next ones
    TEXTS = auto()
    OBJECTS = auto()
    REFERENCES = auto()
    DATE = auto()
    DATE_TIME = auto()
    DECIMAL = auto()
    PHONE = auto()
    ID = auto()
    MOMENT = auto()
    API_NAME = auto()
    OPTION_OF_TWO = auto()
    OPTION = auto()
    LABEL = auto()
    ORIGIN = auto()


class Reason(Enum):
    """What a write conflicts with."""

    EMAIL_TAKEN = auto()
    NAME_TAKEN = auto()
    LAST_ADMINISTRATOR = auto()
    ONESELF = auto()
    HAS_LEFT = auto()  # cannot be enabled until employed again
    IN_USE = auto()
    SEVERAL = auto()  # more than one record has what should name one
    RECORDS_EXIST = auto()  # without a value of the field that is to be required
    IDEMPOTENCY_KEY = auto()  # used before with another body


class Doubt(Enum):
    """Why authentication failed."""

    MISSING = auto()
    WRONG = auto()  # unknown account, wrong secret or disabled: indistinguishable on purpose
    TIMESTAMP = auto()  # not a timestamp
    SKEW = auto()
    NONCE_MISSING = auto()
    NONCE_USED = auto()


class Refusal(Exception):
    """What every Problem is: raised by a verb that changes nothing."""


class NotFound(Refusal):
    """No such record. `id` is the number, or the text where a caller sent no number."""

    def __init__(self, kind: Kind, id: int | str) -> None:
        super().__init__(kind, id)
        self.kind: Kind = kind
        self.id = id


class Invalid(Refusal):
    """A value breaks a rule.

    `field` is the core's name of it; `limit` what the rule counts against; `wanted` what it should be where its TYPE or
    FORM is wrong.
    """

    def __init__(self, field: str, rule: Rule, limit: int | None = None, wanted: Wanted | None = None) -> None:
        super().__init__(field, rule, limit)
        self.field = field
        self.rule = rule
        self.limit = limit
        self.wanted = wanted


class Conflict(Refusal):
    """A well-formed write conflicts with the present state."""

    def __init__(self, reason: Reason, field: str = "") -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field


class Forbidden(Refusal):
    """The caller is authenticated and has no permission.

    Or a browser makes the call, for a page of an origin that the company has not named (`foreign_page`).
    """

    def __init__(self, *, foreign_page: bool = False) -> None:
        super().__init__(foreign_page)
        self.foreign_page = foreign_page


class Skew(NamedTuple):
    """How far a timestamp is from the server's clock, in Unix seconds."""

    server: int
    read: int
    limit: int


class Unauthenticated(Refusal):
    """Authentication failed.

    Where a client may be debugged, `signed` is the form that was tried and the masked string to sign, `skew` how far
    off a timestamp is, and `known` what there is instead of what was named. `missing`: the parameters that were not
    sent, where none was.
    """

    def __init__(
        self,
        doubt: Doubt,
        signed: str = "",
        *,
        skew: Skew | None = None,
        known: str = "",
        missing: tuple[str, ...] = (),
    ) -> None:
        super().__init__(doubt)
        self.doubt = doubt
        self.signed = signed
        self.skew = skew
        self.known = known
        self.missing = missing


class Busy(Refusal):
    """Not done; safe to retry."""


class Damaged(Busy):
    """Not done; writing has stopped: the data is damaged, a backup must be restored. The text is for the operator."""


class Unknown(Refusal):
    """The outcome is unknown: it may have been done."""


Problem = NotFound | Invalid | Conflict | Forbidden | Unauthenticated | Busy | Unknown

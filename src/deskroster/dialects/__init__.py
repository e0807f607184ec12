"""The one list of dialects. A further vendor is a folder, and a line here."""

from deskroster.dialect import Dialect
from deskroster.dialects import kf5, own, servicego, udesk

_VENDORS = (
    udesk.DIALECT,
    kf5.DIALECT,
    servicego.DIALECT,
)
DIALECTS: tuple[Dialect, ...] = (*_VENDORS, own.dialect(vendor.name for vendor in _VENDORS))

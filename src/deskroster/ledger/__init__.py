"""The ledger: makes the changes of companies durable, in a data folder that holds all of them."""

from deskroster.core.problems import Damaged
from deskroster.ledger.backup import BadBackup, Manifest, advice, backups, restore, verify
from deskroster.ledger.check import Finding, examine
from deskroster.ledger.engines import FolderInUse
from deskroster.ledger.installation import NewerData, rotate_key
from deskroster.ledger.ledger import Ledger, Work
from deskroster.ledger.observations import Last
from deskroster.ledger.replies import Once
from deskroster.ledger.store import Store
from deskroster.ledger.vault import Vault, WrongKey

__all__ = [
    "BadBackup", "Damaged", "Finding", "FolderInUse", "Last", "Ledger", "Manifest", "NewerData", "Once", "Store",
    "Vault", "Work", "WrongKey", "advice", "backups", "examine", "restore", "rotate_key", "verify",
]  # fmt: skip

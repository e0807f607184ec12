"""The ledger: makes the changes of companies durable, in a data folder that holds all of them."""

from deskroster.core.problems import Damaged
from deskroster.ledger import place
from deskroster.ledger.backup import BadBackup, Manifest, advice, backups, restore, verify
from deskroster.ledger.check import Finding, examine
from deskroster.ledger.engines import Failed, FolderInUse, InDoubt
from deskroster.ledger.forms import NewerData
from deskroster.ledger.installation import rotate_key
from deskroster.ledger.ledger import Ledger
from deskroster.ledger.observations import Last
from deskroster.ledger.rehearsal import Work
from deskroster.ledger.replies import Once
from deskroster.ledger.store import Store
from deskroster.ledger.vault import Vault, WrongKey

__all__ = [
    "BadBackup", "Damaged", "Failed", "Finding", "FolderInUse", "InDoubt", "Last", "Ledger", "Manifest",
    "NewerData",
    "Once", "Store", "Vault", "Work", "WrongKey", "advice", "backups", "examine", "place", "restore", "rotate_key",
    "verify",
]  # fmt: skip

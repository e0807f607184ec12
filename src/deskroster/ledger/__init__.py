"""The ledger: makes the changes of companies durable, in a data folder that holds all of them."""

from deskroster.core.problems import Damaged
from deskroster.ledger import location
from deskroster.ledger.beside.call_limit import Minute
from deskroster.ledger.beside.idempotency import Once
from deskroster.ledger.beside.last_seen import Last
from deskroster.ledger.disk.forms import NewerData
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.engines import Failed, FolderInUse, InDoubt
from deskroster.ledger.installation import rotate_key
from deskroster.ledger.ledger import Ledger
from deskroster.ledger.rehearsal import Work
from deskroster.ledger.store import Store
from deskroster.ledger.upkeep.backup import BadBackup, Manifest, advice, backups, restore, verify
from deskroster.ledger.upkeep.check import Finding, examine

__all__ = [
    "BadBackup", "Damaged", "Failed", "Finding", "FolderInUse", "InDoubt", "Last", "Ledger", "Manifest", "Minute",
    "NewerData",
    "Once", "Store", "Vault", "Work", "WrongKey", "advice", "backups", "examine", "location", "restore", "rotate_key",
    "verify",
]  # fmt: skip

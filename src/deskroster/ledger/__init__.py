"""The ledger: durability for the changes of companies, in a data folder or in a shared database."""

from deskroster.core.problems import Damaged
from deskroster.ledger import location
from deskroster.ledger.beside.idempotency import Once
from deskroster.ledger.beside.last_seen import Last
from deskroster.ledger.disk.vault import Vault, WrongKey
from deskroster.ledger.engines import DiskFailed, Failed, InDoubt
from deskroster.ledger.files.folder_lock import FolderInUse
from deskroster.ledger.files.forms import NewerData
from deskroster.ledger.ledger import Ledger
from deskroster.ledger.rehearsal import Work
from deskroster.ledger.store import Store
from deskroster.ledger.upkeep.backup import BadBackup, Manifest, advice, backups, restore, verify
from deskroster.ledger.upkeep.check import Finding, examine
from deskroster.ledger.upkeep.rotate_key import rotate_key

__all__ = [
    "BadBackup", "Damaged", "DiskFailed", "Failed", "Finding", "FolderInUse", "InDoubt", "Last", "Ledger", "Manifest",
    "NewerData", "Once", "Store", "Vault", "Work", "WrongKey", "advice", "backups", "examine", "location", "restore",
    "rotate_key", "verify",
]  # fmt: skip

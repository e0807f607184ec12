"""`deskroster rotate-installation-key`: another key for all that is sealed and signed."""

from rich.markup import escape

from deskroster.cli.console import Exit, Refused, as_json, say
from deskroster.cli.opening import must_be_installation, refusing
from deskroster.cli.options import Data, Json
from deskroster.ledger import FolderInUse, rotate_key
from deskroster.ledger.disk.vault import FILE
from deskroster.ledger.files.paths import shown


def rotate_installation_key(data: Data, json: Json = False) -> None:
    """Give an installation another key: all that is sealed or signed with it is sealed and signed again.

    No server may use the folder meanwhile. Interrupted at any moment, it is either done or not begun, and the next
    to open the folder cleans up. Backups that were made before need the old key, so keep that as long as them. A key
    that comes from DESKROSTER_KEY is not the folder's to change.

    For example:

    ```sh
    deskroster rotate-installation-key --data ./data
    ```
    """
    must_be_installation(data)
    with refusing(data):
        try:
            fingerprint = rotate_key(data).fingerprint
        except FolderInUse as error:
            raise Refused(Exit.UNAVAILABLE, str(error), "Stop the server first.") from None
    if json:
        as_json({"fingerprint": fingerprint})
    else:
        say(f"The installation key is now {fingerprint}. Copy {escape(shown(data / FILE))} to where you keep it.")

"""`deskroster rotate-installation-key`: replace the key that encrypts secrets and signs rows."""

from deskroster.cli.console import Exit, Refused, print_json, print_markup
from deskroster.cli.opening import must_be_installation, refusing
from deskroster.cli.options import Data, Json
from deskroster.ledger import FolderInUse, rotate_key
from deskroster.ledger.disk.vault import FILE
from deskroster.ledger.files.paths import shown
from deskroster.texts import foreign, said


def rotate_installation_key(data: Data, json: Json = False) -> None:
    """Replace the installation key: encrypt all secrets and sign all rows again, with a new key.

    Stop every server of the installation first. If the command is interrupted, the rotation is either complete or not
    started, and the next process that opens the folder cleans up. Older backups need the old key, so keep it as long
    as them. If the key comes from DESKROSTER_KEY, the command refuses, because it cannot change a variable.

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
            raise Refused(Exit.UNAVAILABLE, foreign(error), said("Stop the server first.")) from None
    if json:
        print_json({"fingerprint": fingerprint})
    else:
        print_markup(
            said(
                "The installation key is now {fingerprint}. Copy {file} to where you keep it.",
                fingerprint=fingerprint,
                file=shown(data / FILE),
            )
        )

"""Forms: the format version of each kind of stored data. Data of a later version is refused.

Form 1 is the format of 0.1.0, which wrote no version. Its data is recognised by its length, so no other form may have
that length. Data is written in the newest form of its kind. All forms up to that one can be read.
"""

from deskroster.core.problems import Busy
from deskroster.texts import Text, said

CHECKSUM = 2
COMMIT = 2  # the hash of a commit in the log
SEALED = 2  # encrypted values and encrypted replies
SCHEMA = 2  # the note with the digest of the table declarations
MANIFEST = 2  # the manifest of a backup
KEY = 1  # the file with the installation key
NONCES = 2  # the file with the nonces
"""The newest form of each kind. If a new form is encoded in another way, the function that reads it needs a branch."""
_LAST = 15


class NewerData(Busy):
    """The data was written by a later version of Deskroster. The text is shown to the operator."""


def mark(form: int) -> bytes:
    """Return the byte that encodes a form. No single flipped bit turns it into another valid one."""
    return bytes([form << 4 | _LAST - form])


def marked(first: int) -> int:
    """Return the form that a byte encodes; 0 if it encodes none."""
    form = first >> 4
    return form if mark(form)[0] == first else 0


def newer(what: Text | str, form: int, newest: int) -> NewerData:
    """Return the exception for data of a later form."""
    supported = "1" if newest == 1 else said("1 to {newest}", newest=newest)
    return NewerData(
        said(
            "{what} was written by a later version of Deskroster (form {form}, known: {supported})",
            what=what,
            form=form,
            supported=supported,
        )
    )


def form_of(what: Text | str, stored: bytes, length_of_form_1: int, newest: int) -> int:
    """Return the form of stored data: 1 if it has the length of form 1, 0 if it names no form. Raises NewerData."""
    if len(stored) == length_of_form_1:
        return 1
    form = marked(stored[0]) if stored else 0
    if form > newest:
        raise newer(what, form, newest)
    return form if form > 1 else 0

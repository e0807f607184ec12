"""Forms: the version of the format of each stored thing. A later form than is known here is refused.

Form 1 is that of 0.1.0, which did not say it. It is known by its length, so no other form may be as long. What is
written has the newest form of its kind; what is read may have any form up to that, and is read in that form.
"""

from deskroster.core.problems import Busy

CHECKSUM = 2
COMMIT = 2  # its hash
SEALED = 2  # values and kept replies
SCHEMA = 2  # the note of how the tables are declared
MANIFEST = 2  # of a backup
KEY = 1  # the file with the installation key
NONCES = 2  # the file with the nonces
"""The newest form of each kind of thing. A next one that is made in another way needs a branch where it is read."""
_LAST = 15


class NewerData(Busy):
    """A later version of Deskroster has written this. The text is shown to the operator."""


def mark(form: int) -> bytes:
    """Return the byte that says a form. A flipped bit does not make another form of it."""
    return bytes([form << 4 | _LAST - form])


def marked(first: int) -> int:
    """Return the form that a byte says; 0 if it says none."""
    form = first >> 4
    return form if mark(form)[0] == first else 0


def newer(what: str, form: int, newest: int) -> NewerData:
    """Return the refusal of something of a later form."""
    known = "1" if newest == 1 else f"1 to {newest}"
    return NewerData(f"{what} was written by a later version of Deskroster (form {form}, known: {known})")


def form_of(what: str, stored: bytes, first_length: int, newest: int) -> int:
    """Return the form of what is stored, which is 1 if it has that length; 0 if it says none. Raises NewerData."""
    if len(stored) == first_length:
        return 1
    form = marked(stored[0]) if stored else 0
    if form > newest:
        raise newer(what, form, newest)
    return form if form > 1 else 0

"""What must be installed beside the Python packages: etcd, and a PostgreSQL that is not running."""

import os
import shutil
from pathlib import Path

OLDEST = 15  # PostgreSQL's version
DEBIAN = Path("/usr/lib/postgresql")


def postgresql() -> Path | None:
    """Return the folder with the programs of the newest PostgreSQL, None if there is none that is new enough."""
    folders = DEBIAN.glob("*/bin") if DEBIAN.exists() else ()
    versions = {int(folder.parent.name): folder for folder in folders if (folder / "initdb").exists()}
    return max(((v, f) for v, f in versions.items() if v >= OLDEST), default=(0, None))[1]


def missing() -> str:
    """Say what is missing and how to install it; nothing if nothing is."""
    packages = {
        "etcd-server": shutil.which("etcd"),
        f"postgresql-{OLDEST}": postgresql(),
        "util-linux": os.geteuid() != 0 or shutil.which("setpriv"),
    }
    names = [name for name, there in packages.items() if not there]
    if not names:
        return ""
    return (
        f"These tests need Debian's {', '.join(names)}, which is not installed. As root:\n\n"
        f"    apt-get install --no-install-recommends {' '.join(names)}\n\n"
        "To have apt-get start no PostgreSQL of its own, write this first into\n"
        "/etc/postgresql-common/createcluster.conf: create_main_cluster = false"
    )

"""An index to find the replies that have expired."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Expand: an older program deletes them without it."""
    op.create_index("ix_replies_at", "replies", ["at"])

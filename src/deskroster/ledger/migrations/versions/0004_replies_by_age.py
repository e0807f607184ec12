"""An index by which first answers are found that have had their day."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Expand: an older program forgets them as it did."""
    op.create_index("ix_replies_at", "replies", ["at"])

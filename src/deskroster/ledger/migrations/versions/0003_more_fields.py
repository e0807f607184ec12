"""A column for the fields that records gain from now on, so that a new field changes no table.

It contracts: data written from now on has a form mark, which a program of 0002 takes for damage.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = (
    "companies", "roles", "positions", "departments", "permission_sets", "profile_fields", "profile_records", "groups",
    "agents", "keys",
)  # fmt: skip


def upgrade() -> None:
    """Add the column to every table of records. No row is rewritten."""
    for table in TABLES:
        op.add_column(table, sa.Column("more", sa.Text(), nullable=False, server_default="{}"))

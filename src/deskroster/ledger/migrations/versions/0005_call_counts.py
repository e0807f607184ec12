"""Calls of the last minute, in a row of fixed size. Older processes use the table `calls`, which a later step drops."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

COMPANY = "nullif(current_setting('deskroster.company', true), '')::bigint"


def upgrade() -> None:
    """Expand: nothing existing is changed. SQLite is never shared, and counts in memory."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "call_counts",
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("second", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", name="pk_call_counts"),
    )
    op.execute("ALTER TABLE call_counts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE call_counts FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY company ON call_counts USING (company_id = {COMPANY} OR {COMPANY} = 0)")

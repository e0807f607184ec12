"""For a database that several processes share: nonces, counted calls, row-level security by company."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COMPANY = "nullif(current_setting('deskroster.company', true), '')::bigint"
TABLES = (
    "companies", "roles", "positions", "departments", "permission_sets", "profile_fields", "profile_records", "groups",
    "agents", "keys", "memberships", "agent_roles", "agent_departments", "agent_permission_sets", "secrets", "commits",
    "changes", "replies", "verified", "observations", "nonces", "calls",
)  # fmt: skip


def upgrade() -> None:
    """Expand: nothing existing is changed. SQLite is never shared."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "nonces",
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "digest", name="pk_nonces"),
    )
    op.create_index("ix_nonces_until", "nonces", ["until"])
    op.create_table(
        "calls",
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("company_id", name="pk_calls"),
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company ON {table} USING (company_id = {COMPANY} OR {COMPANY} = 0)")

"""Which query has spent a nonce, so that what a failed one has spent can be released."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Expand: older processes leave it empty."""
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("nonces", sa.Column("spender", sa.BigInteger()))

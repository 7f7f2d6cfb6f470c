"""Whether a user's address for mail has been shown to be theirs, and the one-time tokens that show it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table; nobody's address has been verified so far."""
    op.add_column("users", sa.Column("email_verified", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "email_verifications",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), nullable=False, index=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("email_verifications")
    op.drop_column("users", "email_verified")

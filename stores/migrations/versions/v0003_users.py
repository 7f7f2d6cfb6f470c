"""Users, their roles, follows and sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LATER_FIRST = (
    "outside_identities",
    "password_resets",
    "refresh_tokens",
    "sessions",
    "follows",
    "channel_roles",
    "users",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "users",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(18), nullable=False, unique=True),
        sa.Column("login", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("name_key", sa.String(64), nullable=False, unique=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("colour", sa.String(7), nullable=False),
        sa.Column("avatar", sa.String(500), nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "channel_roles",
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), primary_key=True),
        sa.Column("channel_id", sa.Integer, sa.ForeignKey("channels.id"), primary_key=True, index=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("granted_ms", sa.BigInteger, nullable=False),
        sa.Column("granted_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "follows",
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), primary_key=True),
        sa.Column("channel_id", sa.Integer, sa.ForeignKey("channels.id"), primary_key=True, index=True),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), nullable=False, index=True),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("address", sa.String(32), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("used_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False, index=True),
        sa.Column("revoked_ms", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(26), sa.ForeignKey("sessions.id"), nullable=False, index=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("used_ms", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "password_resets",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), nullable=False, index=True),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outside_identities",
        sa.Column("issuer", sa.String(255), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("user_number", sa.Integer, sa.ForeignKey("users.number"), nullable=False, index=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    for name in _LATER_FIRST:
        op.drop_table(name)

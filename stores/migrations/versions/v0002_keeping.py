"""How the videos of a channel are kept and shown."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; NULL is what the settings say."""
    op.add_column("channels", sa.Column("keep_days", sa.Integer, nullable=True))
    op.add_column("channels", sa.Column("visibility", sa.String(16), nullable=True))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("channels") as table:
        table.drop_column("visibility")
        table.drop_column("keep_days")

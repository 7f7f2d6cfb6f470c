"""What the videos of a channel are about: tags and a description."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; NULL is none."""
    op.add_column("channels", sa.Column("tags", sa.String(400), nullable=True))
    op.add_column("channels", sa.Column("description", sa.Text, nullable=True))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("channels") as table:
        table.drop_column("description")
        table.drop_column("tags")

"""Recognition: views and prompts of collections, and the vectors of labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("collection", sa.Column("views", sa.Text(), nullable=False, server_default="1"))
    op.add_column("collection", sa.Column("prompts", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "text_vector",
        sa.Column("encoder", sa.Text(), nullable=False),
        sa.Column("prompts", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("encoder", "prompts", "label", name=op.f("pk_text_vector")),
    )

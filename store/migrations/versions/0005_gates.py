"""Gates: pictures still to be fetched, and keys restricted to collections or in time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns and the index."""
    op.add_column("chunk", sa.Column("unfetched", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        op.f("ix_chunk_unfetched"),
        "chunk",
        ["lane", "queued_at", "id"],
        sqlite_where=sa.text("unfetched = 1"),
        postgresql_where=sa.text("unfetched"),
    )
    op.add_column("api_key", sa.Column("collections", sa.JSON(), nullable=True))
    op.add_column("api_key", sa.Column("expires_at", sa.Float(), nullable=True))

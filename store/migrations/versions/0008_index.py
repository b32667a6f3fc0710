"""Indexes: the index of each collection, and its measured recall."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; existing collections keep exact search."""
    flat = sa.text("""'{"name": "flat"}'""")
    op.add_column("collection", sa.Column("index_spec", sa.JSON(), nullable=False, server_default=flat))
    op.add_column("collection", sa.Column("index_measured", sa.JSON(none_as_null=True), nullable=True))

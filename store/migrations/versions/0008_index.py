"""Indexes: how each collection is searched, and what was measured of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; collections that are there are searched as before."""
    flat = sa.text("""'{"name": "flat"}'""")
    op.add_column("collection", sa.Column("index_spec", sa.JSON(), nullable=False, server_default=flat))
    op.add_column("collection", sa.Column("index_measured", sa.JSON(none_as_null=True), nullable=True))

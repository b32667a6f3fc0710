"""Keep the vectors of the crops of answered items, where views look at crops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column; no item has crops so far."""
    op.add_column("item_vectors", sa.Column("crops", sa.LargeBinary(), nullable=True))

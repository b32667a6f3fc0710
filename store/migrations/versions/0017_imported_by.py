"""A collection knows the import that fills it, so that one which wrote nothing leaves no collection."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the column; collections whose import runs now are kept."""
    op.add_column("collection", sa.Column("imported_by", sa.Text(), nullable=True))

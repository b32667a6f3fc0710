"""Names: columns named after their content, and a lease for deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

RENAMED = (
    ("collection", "slot", "active_slot"),
    ("support", "vector_1", "vector_b"),
    ("reindex", "passed", "position"),
    ("source", "passed", "position"),
    ("worker", "figures", "metrics"),
)


def upgrade() -> None:
    """Rename the columns and add the lease; a call in progress is due again at `due_at`."""
    for table, old, new in RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    op.add_column("delivery", sa.Column("lease_until", sa.Float(), nullable=True))

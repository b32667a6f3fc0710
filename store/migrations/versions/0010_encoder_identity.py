"""Encoder identities: how the worker that opened an encoder last runs it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; it stays empty until a worker opens the encoder."""
    op.add_column("probe", sa.Column("identity", sa.Text(), nullable=False, server_default=""))

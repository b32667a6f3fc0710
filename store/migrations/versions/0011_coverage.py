"""Rules: `set_level` is called `coverage`, as in conformal prediction."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Rename the field within each collection's rule."""
    text, json = ("rule::text", "::json") if op.get_bind().dialect.name == "postgresql" else ("rule", "")
    op.execute(f"""UPDATE collection SET rule = REPLACE({text}, '"set_level"', '"coverage"'){json}""")  # noqa: S608 - constants

"""Collections: their classes, supports and texts, keys to them, and moving them as files."""

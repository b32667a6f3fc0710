"""Collections with their classes, supports, texts and keys, and their export and import."""

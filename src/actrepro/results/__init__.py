"""Results files: their types, their tables, and what they say in words."""

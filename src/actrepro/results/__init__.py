"""Results files: their types, their tables, and sentences about them."""

"""The config of a study: its types, its reading, and the names that it may use."""

"""Which shape `stats.json` has: who reads it refuses another."""

# One more whenever a key comes, or changes its name, place or meaning.
VERSION = 4

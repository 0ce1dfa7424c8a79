"""Version of the keys of `stats.json`; readers refuse other versions."""

# One more whenever a key comes, or changes its name, place or meaning.
VERSION = 4

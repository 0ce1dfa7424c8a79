"""The models: one file is one model."""

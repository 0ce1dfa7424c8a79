"""The sections of the report: one file is one section."""

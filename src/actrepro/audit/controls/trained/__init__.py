"""Controls that train models: one file is one control."""

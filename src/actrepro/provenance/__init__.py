"""The code and the settings that a result depends on."""

"""The service as a whole: health, documentation, commands."""

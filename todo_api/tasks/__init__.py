"""The tasks of a user."""

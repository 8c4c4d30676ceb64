"""Marks of tests."""

import pytest

# For an answer that no database can change, such as a failed validation: on SQLite alone.
one_database = pytest.mark.parametrize("app", ["sqlite"], indirect=True)

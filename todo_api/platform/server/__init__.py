"""The production server: a supervisor and its workers."""

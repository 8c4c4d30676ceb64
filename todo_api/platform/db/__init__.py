"""The database: connections, statements, and whether it answers."""

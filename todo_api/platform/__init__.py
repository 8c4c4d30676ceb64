"""The machine: knows no task, and imports nothing of the product."""

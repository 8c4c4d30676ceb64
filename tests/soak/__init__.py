"""Soaks: the server under load while it is stopped, and for long. Each is a command that prints its figures.

python -m tests.soak stops      # what a stop loses: nothing
python -m tests.soak memory     # what a worker grows by: nothing
python -m tests.soak upgrade    # what an upgrade loses: nothing
"""

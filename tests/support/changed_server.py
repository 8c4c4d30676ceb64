"""Runs the server after a fault: `python changed_server.py NAME`, the name of a function in tests/faults.py."""

import importlib
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).parents[2]
    sys.path[0] = str(root)
    getattr(importlib.import_module("tests.faults"), sys.argv[1])()
    runpy.run_path(str(root / "wsgi.py"), run_name="__main__")

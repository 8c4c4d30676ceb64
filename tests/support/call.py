"""Calls a function of the tests in a new Python process: `python -m tests.support.call MODULE FUNCTION ARGUMENTS`."""

import importlib
import json
import sys

if __name__ == "__main__":
    module, function, arguments = sys.argv[1:]
    getattr(importlib.import_module(module), function)(*json.loads(arguments))

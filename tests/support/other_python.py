"""The printed document where Python has other names for HTTP's statuses, as 3.13 has for two. Imports nothing else."""

import http
import runpy
import sys


def print_document() -> None:
    for status in http.HTTPStatus:
        status._name_, status.phrase = f"NAME_{status.value}", f"Phrase {status.value}"
    sys.argv = ["flask", "--app", "wsgi", "openapi", "print"]
    runpy.run_module("flask", run_name="__main__")

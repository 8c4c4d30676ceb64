"""The OpenAPI document's texts about the service as a whole."""

from pathlib import Path

from todo_api import __version__

TITLE = "Todo API"
VERSION = __version__
INFO = {
    "title": TITLE,
    "version": VERSION,
    "summary": "A small, strict API for to-do lists.",
    "description": Path(__file__).with_name("guide.md").read_text("utf-8"),
    "contact": {"name": "The maintainers of the Todo API"},
    "license": {"name": "MIT", "identifier": "MIT"},
}
TOKEN = "A token of your identity provider; its subject is the `user_id` in the path."

"""Which rule is a path's: found by one pattern a rule, where werkzeug's state machine takes a twelfth of a request."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.routing import Map, MapAdapter, Rule

# Those with a plain `<name>`, which stands for anything but a slash.
PLAIN = re.compile(r"(/(<\w+>|[\w.]*))+")

Patterns = Mapping[str, Sequence[tuple[re.Pattern[str], Rule]]]


def patterns(url_map: Map) -> Patterns:
    """The plain rules, by method."""
    found: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
    for rule in url_map.iter_rules():
        if PLAIN.fullmatch(rule.rule):
            pattern = re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", re.escape(rule.rule)))
            for method in rule.methods or ():
                found.setdefault(method, []).append((pattern, rule))
    return found


class Adapter(MapAdapter):
    """One request's path and method. What no pattern finds werkzeug finds, redirects or refuses, as ever."""

    def __init__(self, url_map: Map, plain: Patterns, path: str, method: str) -> None:
        super().__init__(url_map, "", "/", None, "http", path, method)
        self._path = path
        self._plain = plain.get(method, ())

    def match(self, *args: Any, **options: Any) -> Any:
        if options == {"return_rule": True}:  # as Flask asks
            for pattern, rule in self._plain:
                if found := pattern.fullmatch(self._path):
                    return rule, found.groupdict()
        return super().match(*args, **options)

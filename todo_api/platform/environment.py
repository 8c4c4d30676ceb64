"""Reads a table of settings, a dataclass with a field each, from the environment and a `.env` file."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import field, fields
from typing import Any

from dotenv import dotenv_values


class SettingsError(Exception):
    """One or more settings are wrong; `problems` names each, and never quotes a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def setting(default: object, cast: Callable[[str], object], help: str, *, secret: bool = False) -> Any:
    """A field of the table; its name in capitals is its variable. `cast` raises ValueError."""
    return field(default=default, repr=not secret, metadata={"cast": cast, "help": help})


def read_environment(
    environment: Mapping[str, str] | None, env_file: str, *, may_be_empty: Collection[str]
) -> dict[str, str]:
    """The variables that are set: in the environment (the process's, unless given), else in `env_file`.

    An empty variable counts as unset, so that the file's counts, unless it `may_be_empty`. Raises SettingsError.
    """
    environment = os.environ if environment is None else environment
    try:
        # As the `flask` command reads it, which puts it into the environment before this is called.
        given = [*dotenv_values(env_file).items(), *environment.items()]
    except (OSError, UnicodeDecodeError):
        raise SettingsError([f"{env_file} cannot be read as UTF-8 text"]) from None
    return {name: text for name, text in given if text or (text == "" and name in may_be_empty)}


def cast_settings(table: type[Any], given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values of the settings that are given, and the problems of those that are wrong."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for spec in fields(table):
        name = spec.name.upper()
        if name in given:
            try:
                values[spec.name] = spec.metadata["cast"](given[name])
            except ValueError as error:
                problems.append(f"{name} {error}")
    return values, problems

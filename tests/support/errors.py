"""The shape of every error."""

from werkzeug.test import TestResponse

# A field, with the type and the message of what is wrong with it.
Problem = tuple[str, tuple[str, str]]
INTEGER = ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")


def assert_error(response: TestResponse, status: int, detail: str) -> None:
    """Every error but a failed validation."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    assert response.json == {"detail": detail, "status_code": status}


def assert_invalid(response: TestResponse, *problems: tuple[str, str]) -> None:
    """A failed validation: these fields, each with this type, in this order."""
    assert response.status_code == 422, response.text
    assert response.content_type == "application/json"
    assert response.json.keys() == {"detail", "errors"}
    assert response.json["detail"] == "Validation error"
    assert [(error["field"], error["type"]) for error in response.json["errors"]] == list(problems)
    assert all(error.keys() == {"field", "message", "type"} for error in response.json["errors"])


def assert_problems(response: TestResponse, *problems: Problem) -> None:
    """A failed validation, with these messages as well."""
    assert_invalid(response, *[(field, kind) for field, (kind, _) in problems])
    assert [error["message"] for error in response.json["errors"]] == [message for _, (_, message) in problems]

"""The operations on tasks, as the contract has them."""

from flask.testing import FlaskClient

from tests.support import assert_error


def test_a_created_task_is_answered_whole_with_its_location(alice: FlaskClient) -> None:
    response = alice.post("/api/alice/tasks", json={"title": "Buy milk"})
    assert response.status_code == 201
    task = response.json
    assert list(task) == ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]
    assert (task["user_id"], task["title"], task["description"], task["completed"]) == (
        "alice",
        "Buy milk",
        None,
        False,
    )
    assert task["created_at"] == task["updated_at"]
    assert response.headers["Location"] == f"/api/alice/tasks/{task['id']}"
    assert alice.get(response.headers["Location"]).json == task


def test_a_deleted_task_is_gone_and_a_second_delete_is_not_found(alice: FlaskClient) -> None:
    location = alice.post("/api/alice/tasks", json={"title": "Buy milk"}).headers["Location"]
    response = alice.delete(location)
    assert (response.status_code, response.data) == (204, b"")
    assert_error(alice.delete(location), 404, "Task with id 1 not found")

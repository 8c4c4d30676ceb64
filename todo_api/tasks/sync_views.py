"""The operations for clients that work offline: the feed of changes, and batches."""

from typing import Any

from flask import Response, g

from todo_api.auth.blueprint import UserBlueprint
from todo_api.platform.web.errors import api_error
from todo_api.platform.web.headers import LINK, RETRY_AFTER
from todo_api.platform.web.responses import json_response, link_to_next
from todo_api.tasks import examples
from todo_api.tasks.answers import FORGOTTEN, WAIT_AGAIN
from todo_api.tasks.batch import run_batch
from todo_api.tasks.changes import Forgotten, wait_for_changes
from todo_api.tasks.operations import Operation
from todo_api.tasks.rendering import render
from todo_api.tasks.sync_schemas import BatchResultSchema, BatchSchema, ChangesQuery, ChangesSchema
from todo_api.tasks.views import OWN, path_of

blp = UserBlueprint("sync", __name__, path="tasks", description=f"For clients that work offline; {OWN}")


@blp.route("/changes", methods=["GET"])
@blp.arguments(ChangesQuery, location="query")
@blp.answers(
    200, "A page of changes.", ChangesSchema, example=examples.CHANGES, headers={LINK: LINK, RETRY_AFTER: WAIT_AGAIN}
)
@blp.errors(FORGOTTEN, invalid=examples.INVALID_CHANGES)
def list_changes(query: dict[str, Any], user_id: str) -> Response:
    """List what changed since a revision

    Tasks and tombstones above `since` and `after`, in the order of their revisions. A client starts without both,
    follows `next` as `after` while `has_more`, and stores the last `next` as its `since`: then it has the last state of
    every task, whatever writes at the same time. With `wait` an answer that would be empty is held until something
    changes, or for so many seconds.
    """
    try:
        page = wait_for_changes(user_id, g.token_expires, **query)
    except Forgotten:
        detail = f"Changes since {query['since']} are no longer known: start again without since"
        raise api_error(410, detail, {LINK: f'<{path_of(user_id)}/changes>; rel="alternate"'}) from None
    response = json_response(render({"changes": page.changes, "next": page.next, "has_more": page.has_more}))
    if page.has_more:
        response.headers[LINK] = link_to_next(f"{path_of(user_id)}/changes", ["since", "limit"], after=page.next)
    if page.retry_after is not None:
        response.headers[RETRY_AFTER] = str(page.retry_after)
    return response


@blp.route("/batch", methods=["POST"])
@blp.arguments(BatchSchema, examples=examples.BATCH)
@blp.answers(200, "A result for each operation, in order.", BatchResultSchema, example=examples.BATCH_RESULTS)
@blp.errors(invalid=examples.INVALID_BATCH)
def write_batch(body: dict[str, Any], user_id: str) -> Response:
    """Write several tasks at once

    Up to 100 operations, done in order, each seeing those before, in one transaction: all of the results hold, or (503)
    none. One operation's failure is its own: the others stand. With `base` an operation writes only what the client
    changed, and is refused (412) only where somebody else changed the same field. Safe to repeat where each creating
    `put` has `if_match: 0` or a `base`.
    """
    results = run_batch(user_id, [Operation(sent) for sent in body["operations"]])
    return json_response(render({"results": results}))

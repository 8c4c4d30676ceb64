"""Five libraries for offline clients, each with the adapter that its users copy, against the real server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.apps import migrate
from tests.support.databases import Postgres, sqlite_url
from tests.support.offline import ALONE, LIBRARIES, Clients, clients_of
from tests.support.ports import free_port
from tests.support.service import serving

# Which title stays where two edit it, and how often that is reported. SignalDB's changes do not say what they change.
SAME_FIELD = {
    "rxdb": {"stays": "first", "reports": 1},
    "watermelondb": {"stays": "second", "reports": 1},
    "tanstack": {"stays": "first", "reports": 1},
    "signaldb": {"stays": "second", "reports": 0},
    "legendState": {"stays": "first", "reports": 1},
}

# The others do one after the other.
PULL_WHILE_THEY_PUSH = ("rxdb", "tanstack", "legendState")


class Place:
    """A server with clients; other clients of it do what takes long meanwhile."""

    def __init__(self, stack: ExitStack, folder: Path, url: URL, workers: int) -> None:
        folder.mkdir()
        server = stack.enter_context(serving(folder, url, WEB_CONCURRENCY=workers))
        self.clients = stack.enter_context(clients_of(folder, server.address, url))
        self.others = stack.enter_context(clients_of(folder, server.address, url))
        self.others.start("live.idleness")


@pytest.fixture(scope="module")
def places(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """One worker on SQLite, two on PostgreSQL."""
    folder = tmp_path_factory.mktemp("offline")
    with ExitStack() as stack:
        url = migrate(stack.enter_context(postgres.database()))
        yield {
            "sqlite": Place(stack, folder / "sqlite", sqlite_url(folder), 1),
            "postgresql": Place(stack, folder / "postgresql", url, 2),
        }


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, places: dict[str, Place]) -> Place:
    return places[request.param]


@pytest.fixture
def clients(place: Place) -> Clients:
    return place.clients


@pytest.mark.parametrize("library", ["rxdb", "watermelondb"])
def test_two_clients_that_edit_at_random_over_bad_links_end_equal(clients: Clients, library: str) -> None:
    clients.run("random.edit", 1, 200, 2, libraries=[library])


def test_a_client_alone_on_a_bad_link_loses_none_of_its_edits_and_meets_no_conflict(clients: Clients) -> None:
    clients.run("random.edit", 2, 100, 1, libraries=ALONE)


def test_a_second_edit_before_anything_was_pulled_and_after_a_lost_answer_is_no_conflict(clients: Clients) -> None:
    clients.run("edits.ownSecondEdit")


@pytest.mark.parametrize("title", ["a third one", "a"])
def test_an_edit_during_a_push_that_is_answered_with_a_foreign_edit_is_kept(clients: Clients, title: str) -> None:
    clients.run("edits.editDuringAPush", title)  # the first title was "a": to undo an edit is one as well


@pytest.mark.parametrize("is_late", [False, True], ids=["before it is answered", "afterwards"])
def test_a_deleted_task_is_not_brought_back_by_a_pull_from_before(clients: Clients, is_late: bool) -> None:
    clients.run("overtaking.repeatedDelete", is_late, libraries=PULL_WHILE_THEY_PUSH)


def test_a_new_task_is_not_hidden_by_a_first_pull_from_before(clients: Clients) -> None:
    clients.run("overtaking.firstPull", libraries=PULL_WHILE_THEY_PUSH)


@pytest.mark.parametrize("is_late", [False, True], ids=["before its answer", "right after it"])
def test_a_foreign_edit_after_an_own_one_is_kept_when_it_is_pulled(clients: Clients, is_late: bool) -> None:
    clients.run("overtaking.foreignEdit", is_late, libraries=PULL_WHILE_THEY_PUSH)


def test_an_edit_of_a_task_that_was_deleted_elsewhere_is_refused_and_reported(clients: Clients) -> None:
    clients.run("edits.editOfADeletedTask")


@pytest.mark.parametrize("is_just_before", [False, True], ids=["after the next one", "before the next one"])
def test_edits_after_a_failed_request_that_is_done_late_are_no_conflict(clients: Clients, is_just_before: bool) -> None:
    clients.run("edits.requestThatIsDoneLate", is_just_before, libraries=ALONE)


def test_an_edit_that_is_done_after_it_was_undone_is_undone_as_well(clients: Clients) -> None:
    clients.run("edits.undoOfWhatIsDoneLate", libraries=ALONE)


def test_a_token_that_has_expired_is_asked_for_anew(clients: Clients) -> None:
    clients.run("edits.expiredToken")


def test_edits_of_different_fields_are_both_kept(clients: Clients) -> None:
    clients.run("edits.differentFields")


def test_two_edits_of_one_field_are_one_conflict_and_the_other_fields_are_kept(clients: Clients) -> None:
    assert clients.run("edits.sameField") == SAME_FIELD


def test_what_is_not_valid_is_undone_and_reported_and_all_else_is_written(clients: Clients) -> None:
    clients.run("edits.oneInvalid")


def test_a_foreign_write_between_pull_and_push_is_merged_by_the_next_sync(clients: Clients) -> None:
    clients.run("edits.foreignWriteBetweenPullAndPush", libraries=["watermelondb"])


def test_a_first_sync_gets_all_old_tasks_in_pages_of_any_size(clients: Clients) -> None:
    clients.run("absence.firstSync", [2, 100, 1000])


def test_who_was_away_past_a_purge_keeps_unsent_edits_and_loses_what_was_deleted(clients: Clients) -> None:
    # A task that was deleted and purged comes back with the edit.
    assert clients.run("absence.awayPastAPurge") == dict.fromkeys(LIBRARIES, "mine")


def test_unsent_edits_outlive_a_restart_and_are_made_once(clients: Clients) -> None:
    # RxDB has a file to itself, test_offline_page.py: what runs in Node stores nothing.
    clients.run("outbox.restartedWithUnsentEdits", libraries=LIBRARIES[1:])


def test_an_edit_that_could_not_be_sent_is_sent_again_without_being_asked(clients: Clients) -> None:
    clients.run("live.failedPush")


def test_all_libraries_and_a_client_of_version_1_0_see_the_same(clients: Clients) -> None:
    clients.run("five.allOnOneAccount", libraries=["all"])


def test_clients_find_a_server_that_was_restarted_and_send_what_was_edited_meanwhile(tmp_path: Path) -> None:
    url, port = sqlite_url(tmp_path), free_port()
    with clients_of(tmp_path, f"http://127.0.0.1:{port}", url) as clients:
        with serving(tmp_path, url, PORT=port):
            clients.run("live.beforeARestart")
        clients.run("live.duringARestart")
        with serving(tmp_path, url, PORT=port):
            clients.run("live.afterARestart")


# The last: they have been idle since the first.
def test_idle_clients_ask_twice_in_half_a_minute(place: Place) -> None:
    for library, requests in place.others.end().items():
        assert requests <= 2, library

"""The same through PgBouncer in transaction mode."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.support.cluster import Cluster, running_cluster, running_pgbouncer
from tests.support.databases import Postgres
from tests.support.load import SHORT, Load
from tests.support.programs import needs
from tests.support.service import Service, serving


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    needs("pgbouncer")
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pooler(cluster: Cluster) -> Iterator[URL]:
    with running_pgbouncer(cluster) as url:
        yield url


@pytest.fixture(scope="module")
def service(pooler: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("server"), pooler, **SHORT) as service:
        yield service


@pytest.fixture(autouse=True)
def empty_table(cluster: Cluster) -> None:
    cluster.execute("TRUNCATE tasks")


def test_every_request_is_served_and_no_setting_leaks_to_other_clients(
    cluster: Cluster, pooler: URL, service: Service
) -> None:
    with Load(service.port) as load:
        time.sleep(1)
    assert {status for _, status, _ in load.answers} == {200, 201}
    load.assert_nothing_lost_nor_wrong(cluster)
    with Postgres(pooler).connection() as other, other.cursor() as cursor:
        for name in ["lock_timeout", "statement_timeout"] * 20:
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == ("0",)


def test_a_restart_behind_it_costs_nothing_but_503s_and_is_over_within_two_seconds(
    cluster: Cluster, service: Service
) -> None:
    with Load(service.port) as load:
        time.sleep(0.5)
        cluster.restart("immediate")
        back = time.monotonic()
        time.sleep(2)
    assert load.first_success_after(back) < 3
    load.assert_nothing_lost_nor_wrong(cluster)


def test_a_frozen_database_behind_it_is_503_within_ten_seconds_and_back_within_two(
    cluster: Cluster, service: Service
) -> None:
    with Load(service.port) as load:
        time.sleep(0.5)
        cluster.freeze()
        try:
            time.sleep(4.5)
            start = time.monotonic()
            assert service.status("/health/db") == 503
            assert time.monotonic() - start < 3
        finally:
            cluster.thaw()
        back = time.monotonic()
        time.sleep(2)
    assert load.first_success_after(back) < 3
    load.assert_nothing_lost_nor_wrong(cluster)

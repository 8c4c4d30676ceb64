"""The parent process: keeps the workers running, and stops them. It has no thread and no database connection."""

import contextlib
import gc
import math
import mmap
import os
import signal
import socket
import sys
import time
import traceback
from functools import partial
from operator import setitem
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import NamedTuple, NoReturn

from todo_api.platform import metrics
from todo_api.platform.options import ServerOptions
from todo_api.platform.server import worker
from todo_api.platform.web.app import App

STOP = {signal.SIGTERM, signal.SIGINT}
SIGNALS = {*STOP, signal.SIGCHLD}
MAX_WORKERS = 4
# Garbage collection starts after this many new objects. At Python's 700, a page of a thousand tasks, which leaves no
# garbage, would be searched several times.
NEW_OBJECTS = 20_000
# A worker that lived less is replaced after a delay; a failed fork is tried again after the same delay.
STEADY_SECONDS = 5
DELAY_SECONDS = 0.5
# The service gives up after this many workers that ended before they could serve, if no worker is left.
MAX_FAILED_STARTS = 5
# A stop may take this long on top of lame duck and drain.
STOP_MARGIN_SECONDS = 1


class Worker(NamedTuple):
    number: int
    started: float


class Supervisor:
    """Forks workers that share one listening socket, and the app's memory until they write to it.

    Signals stay blocked, and are waited for one by one: no handler interrupts anything, none gets lost, and process 1
    gets them as well.
    """

    def __init__(self, listener: socket.socket, options: ServerOptions, app: App) -> None:
        self._listener = listener
        self._options = options
        self._app = app
        self._count = options.workers or min(usable_cpus(), MAX_WORKERS)
        self._connection_limit = worker.connection_limit(options.connections)
        self._workers: dict[int, Worker] = {}
        # Workers stop when this pipe's other end is closed: by _stop(), or by the kernel if this process is killed.
        self._lifeline, self._lifeline_end = os.pipe()
        # A byte for each worker, shared with it: whether it has begun to serve.
        self._ready = mmap.mmap(-1, self._count)
        self._failed_starts = 0
        self._next_start = 0.0

    def run(self) -> int:
        """Supervise until a signal to stop. Returns the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # blocked, but some systems drop a signal nobody handles
        gc.collect()
        gc.freeze()  # a collection would write to, and so copy, every page that the workers share
        gc.set_threshold(NEW_OBJECTS)
        while True:
            arrived = signal.sigtimedwait(SIGNALS, self._start_missing())
            if arrived and arrived.si_signo in STOP:
                return self._stop()
            for dead, pid, code in self._reap():
                say(f"worker {dead.number} (process {pid}) ended with status {code}")
                self._failed_starts = 0 if self._ready[dead.number] else self._failed_starts + 1
                if time.monotonic() < dead.started + STEADY_SECONDS:
                    self._next_start = time.monotonic() + DELAY_SECONDS
            if self._failed_starts >= MAX_FAILED_STARTS and not self._workers:
                say("no worker can start")
                return 1

    def _start_missing(self) -> float:
        """Start the workers that are missing. Returns for how long to wait before another call."""
        for number in set(range(self._count)) - {running.number for running in self._workers.values()}:
            if (wait := self._next_start - time.monotonic()) > 0:
                return wait
            self._ready[number] = 0
            try:
                pid = os.fork()
            except OSError as error:  # no memory or no process is free now
                say(f"worker {number} cannot start: {error.strerror}")
                self._failed_starts += 1
                self._next_start = time.monotonic() + DELAY_SECONDS
                return DELAY_SECONDS
            if not pid:
                self._work(number)
            self._workers[pid] = Worker(number, time.monotonic())
        return TIMEOUT_MAX

    def _work(self, number: int) -> NoReturn:
        """Run a worker, then end the process."""
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until there is something to drain
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent stops its workers
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.close(self._lifeline_end)
            self._pin(number)
            metrics.enter_worker(self._app, number)
            ready = partial(setitem, self._ready, number, 1)
            limit = self._connection_limit
            worker.run(self._app, self._options, self._listener, self._lifeline, limit, ready=ready)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # without the parent's clean-up, and without waiting for a thread that is stuck

    def _pin(self, number: int) -> None:
        """Keep this worker on one CPU, apart from the others."""
        cpus = sorted(os.sched_getaffinity(0))
        wanted = self._options.pin_workers
        # By default only in a CPU set smaller than the host: elsewhere a neighbour may be using the same CPU.
        if wanted or (wanted is None and len(cpus) < (os.cpu_count() or 1)):
            os.sched_setaffinity(0, {cpus[number % len(cpus)]})

    def _reap(self) -> list[tuple[Worker, int, int]]:
        """Each worker that has ended, with its process and its exit code."""
        dead = []
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] in self._workers:  # process 1 also gets children that are no workers
                    dead.append((self._workers.pop(ended[0]), ended[0], os.waitstatus_to_exitcode(ended[1])))
        return dead

    def _stop(self) -> int:
        """Let the workers drain. Returns 0 if all did, in time. More signals change nothing."""
        # First, or the kernel would go on completing connections that nobody accepts.
        self._listener.close()
        os.close(self._lifeline_end)
        limit = self._options.lame_duck_seconds + self._options.drain_seconds + STOP_MARGIN_SECONDS
        deadline = time.monotonic() + limit
        say(f"Stopping within {limit:g} s: accepted requests are answered first")
        ended = self._reap()
        while self._workers:
            if not signal.sigtimedwait(SIGNALS, max(deadline - time.monotonic(), 0)):
                for pid in self._workers:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return 1
            ended += self._reap()
        # SIGTERM ends a worker that has nothing to drain yet.
        return int(any(code not in {0, -signal.SIGTERM} for *_, code in ended))


def say(text: str) -> None:
    """Print for people, on standard error, which may be closed: standard output is the log's."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The CPUs that this container may use, by affinity and by its quota of time; at least one."""
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), _quota(cgroup))))


def _quota(cgroup: Path) -> float:
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # of version 2, of version 1
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            if int(quota) > 0:  # -1 is none
                return int(quota) / int(period)
    return math.inf

"""The benchmark: what a request costs this service, in CPU time above all, beside peers of the same contract.

    python -m tests.bench [--fastify] [--peer FOLDER] [--against FOLDER] [--routes one,list100] [--rounds N]
                          [--seconds S] [--workers N] [--pin] [--one-cpu] [--json FILE]
    python -m tests.bench growth           does a page cost more where the user, and the table, have many tasks?
    python -m tests.bench waiting          what do a thousand clients that wait for changes cost a worker?
    python -m tests.bench profile ROUTE    the ten dearest functions of one route

It starts PostgreSQL, this service as in production (`python wsgi.py`, log to a file, metrics on), bare waitress with an
app that does nothing (the floor) and, as asked, two peers: Fastify with node-postgres, in `fastify/` beside this file,
and from the folder that `--peer` names FastAPI under uvicorn, in an environment of its own that is made once.
`--against` takes another checkout of this service, to tell whether a change pays. All have the same PostgreSQL, with
`fsync` and autovacuum off (neither is what is measured, and both disturb), and the same rows.

wrk (Debian's package) sends each kind of request over 16 connections that stay open, in rounds that take turns, so that
a noisy moment hits all alike. Shown are the medians of the rounds: microseconds of CPU a request, of the server's whole
process tree and of PostgreSQL's; requests a second; and the median and 99th percentile of the time to the answer. The
load comes from the same machine: wrk's own CPU time (a request, in the JSON) is lost to all alike.

Every answer is checked: before each round a client reads two of its kind whole (status, length, number of tasks); in
the round wrk counts answers that are no 2xx and all bytes, which must be those of so many answers of that length.
"""

# The dependencies, in a layer of their own that a change of the code leaves as it is. From wheels alone: no compiler.
FROM python:3.11-slim AS dependencies
COPY requirements.txt /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: -r /requirements.txt \
    && /venv/bin/pip uninstall --yes --quiet pip setuptools \
    && /venv/bin/python -m compileall -q /venv/lib

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000
# The one folder it may write to: SQLite's file and, with nothing configured, the secret. Mount a volume there.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin todo \
    && install -d -o todo -g todo /app/instance
WORKDIR /app
COPY --from=dependencies /venv /venv
COPY . .
RUN python -m compileall -q todo_api migrations wsgi.py
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "wsgi.py"]

# One image for every process of OpsSage: web, worker, dispatcher, Flower and the migration.
# It is a checkout in /app with its environment in /opt/venv, both read-only to the user that runs
# them. What is written goes to /data (a volume) and /tmp (a tmpfs will do).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
RUN python -m venv --without-pip /opt/venv

# The dependencies change seldom: they are a layer of their own.
COPY requirements-runtime.lock ./
RUN pip --python /opt/venv install --require-hashes --requirement requirements-runtime.lock

COPY pyproject.toml README.md alembic.ini config.yaml ./
COPY cli cli
COPY opssage opssage
COPY runbooks runbooks
COPY store store
COPY tasks tasks
COPY webapi webapi
COPY worker worker
# Compiled here, because the user that runs it may not write beside the sources. Compiled files
# save each process a second at start and 14 MB.
RUN pip --python /opt/venv install --no-deps --no-build-isolation --editable . \
    && pip --python /opt/venv uninstall --yes --quiet editables hatchling \
    && /opt/venv/bin/python -m compileall -q -j 0 /app \
    && ln -s /data /app/data

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 opssage \
    && useradd --uid 10001 --gid opssage --no-create-home --home-dir /data --shell /usr/sbin/nologin opssage \
    && install --directory --owner opssage --group opssage --mode 0750 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Asks whether the web lives, not whether it is ready: a broker that is away is no reason to
# restart it. The other processes bring a health check of their own, see docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=3); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["gunicorn", "--config", "webapi/gunicorn_conf.py", "webapi.wsgi:app"]

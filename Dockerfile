# Targets: `api` (also client commands and migrations), `worker` for CPUs, `worker-gpu`.
# Each has the packages of its lock file in /opt/venv, one layer, and Exemplar itself in /app, another.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim
ARG VERSION=0.1.0

FROM ${PYTHON_IMAGE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/opt/venv
RUN dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n' > /base.packages && \
    apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils g++ >/dev/null
RUN --mount=type=cache,target=/root/.cache python -m pip install uv==0.13.8 && uv venv /opt/venv
WORKDIR /build

FROM tools AS application
COPY pyproject.toml README.md LICENSE exemplar_service.py ./
COPY core core
COPY formats formats
COPY runtime runtime
COPY store store
COPY index index
COPY encoders encoders
COPY api api
COPY worker worker
COPY client client
COPY cli cli
RUN --mount=type=cache,target=/root/.cache uv pip install --target /app --no-deps ./client .

# `--no-deps`: the lock files name every package, with its hash
FROM tools AS api-packages
ARG VERSION WITH_PARQUET=""
COPY requirements-api.lock requirements-parquet.lock deploy/images/slim.py deploy/images/sbom.py ./
RUN --mount=type=cache,target=/root/.cache \
    uv pip install --no-deps --require-hashes -r requirements-api.lock ${WITH_PARQUET:+-r requirements-parquet.lock} && \
    /opt/venv/bin/python slim.py && \
    /opt/venv/bin/python sbom.py exemplar-api "$VERSION" < /base.packages > /opt/venv/sbom.cdx.json

FROM tools AS worker-packages
ARG VERSION
COPY requirements-worker.lock deploy/images/slim.py deploy/images/sbom.py deploy/images/cpu_torch.py ./
RUN --mount=type=cache,target=/root/.cache \
    uv pip install --no-deps --require-hashes -r requirements-worker.lock && \
    /opt/venv/bin/python slim.py && /opt/venv/bin/python cpu_torch.py && \
    /opt/venv/bin/python sbom.py exemplar-worker "$VERSION" < /base.packages > /opt/venv/sbom.cdx.json

FROM tools AS worker-gpu-packages
ARG VERSION
COPY requirements-worker-gpu.lock deploy/images/slim.py deploy/images/sbom.py ./
RUN --mount=type=cache,target=/root/.cache \
    uv pip install --no-deps --require-hashes -r requirements-worker-gpu.lock && \
    /opt/venv/bin/python slim.py && \
    /opt/venv/bin/python sbom.py exemplar-worker-gpu "$VERSION" < /base.packages > /opt/venv/sbom.cdx.json

# The root file system is read-only in compose and on Kubernetes: all that is written goes to /data and /tmp.
FROM ${PYTHON_IMAGE} AS base
ARG VERSION
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app PATH=/app/bin:/opt/venv/bin:$PATH \
    EXEMPLAR_DATA=/data HF_HOME=/data/hub
LABEL org.opencontainers.image.title="Exemplar" \
      org.opencontainers.image.description="Names what is in a picture from a few examples of each class" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 10001 exemplar && install -d -o exemplar -g exemplar /data
USER exemplar
WORKDIR /data
VOLUME /data

FROM base AS api
COPY --from=api-packages /opt/venv /opt/venv
COPY --from=application /app /app
RUN --mount=type=bind,source=deploy/images,target=/checks python /checks/check.py api
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8000/healthz', timeout=2, trust_env=False).raise_for_status()"]
CMD ["exemplar", "api", "--host", "0.0.0.0", "--port", "8000"]

FROM base AS worker
# torch and FAISS use as many threads as a worker is told to, not as many as the host has cores
ENV OMP_NUM_THREADS=1
COPY --from=worker-packages /opt/venv /opt/venv
COPY --from=application /app /app
RUN --mount=type=bind,source=deploy/images,target=/checks python /checks/check.py worker
CMD ["exemplar", "worker"]

FROM base AS worker-gpu
ENV OMP_NUM_THREADS=1
COPY --from=worker-gpu-packages /opt/venv /opt/venv
COPY --from=application /app /app
RUN --mount=type=bind,source=deploy/images,target=/checks python /checks/check.py worker
CMD ["exemplar", "worker"]

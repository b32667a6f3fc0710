# One file, two stages that ship: `api` without torch's start-up, `worker` with the encoders.
FROM python:3.11-slim AS base
# the root file system is read-only in compose: weights from the hub are kept beside the data, bytecode is made now
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 EXEMPLAR_DATA=/data HF_HOME=/data/hub
RUN useradd --create-home --uid 10001 exemplar && install -d -o exemplar /data
WORKDIR /app
RUN python -m pip install --no-cache-dir uv==0.13.8
# the locked versions with the extras for S3, tracing and EfficientNet-Lite0
COPY requirements-image.lock ./
RUN uv pip install --system --no-cache --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md ./
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
COPY exemplar_service.py ./
RUN uv pip install --system --no-cache --no-deps ./client .
USER exemplar
VOLUME /data

FROM base AS api
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8000/healthz', timeout=2, trust_env=False).raise_for_status()"]
CMD ["exemplar", "api", "--host", "0.0.0.0", "--port", "8000"]

FROM base AS worker
# torch and FAISS use as many threads as a worker is told to, not as many as the host has cores
ENV OMP_NUM_THREADS=1
CMD ["exemplar", "worker"]

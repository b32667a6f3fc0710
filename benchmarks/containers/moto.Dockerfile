# An S3 server for trying docker-compose.s3.yml where its store's image cannot be pulled
FROM docker.io/library/python:3.11-slim
RUN --mount=type=cache,target=/root/.cache python -m pip install "moto[server]==5.*" "s3fs"

# A stand-in for the S3-compatible store of docker-compose.s3.yml: moto, with a `weed` that makes its bucket.
FROM docker.io/library/python:3.11-slim
LABEL exemplar.stand-in=moto
RUN --mount=type=cache,target=/root/.cache python -m pip install "moto[server]==5.*" "s3fs"
COPY moto_weed.py /usr/local/bin/weed
RUN chmod 755 /usr/local/bin/weed && mkdir /data
ENTRYPOINT ["/usr/local/bin/weed"]

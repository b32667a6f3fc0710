"""One table of settings: each has a name, a default and a help text, and is set by EXEMPLAR_<NAME>."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from core.errors import ExemplarError
from core.jobs import MAX_CHUNK_ITEMS
from core.picture_formats import BY_NAME
from core.specs import PACKAGED, REINDEX, is_removed, removed

PREFIX = "EXEMPLAR_"
_RATE = "[1-9][0-9]*/(second|minute|hour|day)"
_RATES = f"^({_RATE}(;{_RATE})*)?$"
CLIENT_NAMES = {"EXEMPLAR_URL", "EXEMPLAR_KEY"}  # read by the client commands, not by the service


class Settings(BaseModel):
    """The settings of a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(
        Path("exemplar-data"), description="Folder of the embedded record, blobs and snapshots."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of the record; empty means SQLite in the data folder."
    )
    blobs_url: str = Field(
        "", description="fsspec URL of the blobs, such as s3://bucket/path; empty means the data folder."
    )
    milvus_url: str = Field(
        "",
        description="URL of the Milvus server for collections with the index milvus; empty means Milvus "
        "Lite, in a file per worker in the data folder.",
    )
    milvus_token: SecretStr = Field(
        SecretStr(""), description="Token of that Milvus server, for instance user:password."
    )
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="URL of the queue (redis:// or unix://).")
    encoders: tuple[str, ...] = Field(
        PACKAGED[:1],
        min_length=1,
        description="Encoders this service offers, comma separated; the first is the default.",
    )
    device: str = Field("auto", description="Where encoders run: auto, cpu, cuda or cuda:N.")
    precision: str = Field(
        "auto",
        pattern="^(auto|fp32|bf16|fp16)$",
        description="Number format of encoders: auto uses a half format that the device supports if "
        "vectors keep a cosine of 0.999 to fp32; fp32, bf16 and fp16 are used unchecked.",
    )
    runtime: str = Field(
        "auto",
        pattern="^(auto|torch)$",
        description="Runtime of encoders on a CPU: auto uses OpenVINO if it is installed and keeps "
        "vectors as above; torch never does.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Compute threads of one worker process for bulk work. By default a worker alone uses up "
        "to four cores, and those that `exemplar up` starts share them.",
    )
    decode_threads: int = Field(2, ge=1, description="Threads that decode pictures in one worker process.")
    host: str = Field("127.0.0.1", description="Address the API listens on; other than loopback needs a key.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    http_threads: int = Field(32, ge=2, description="Requests handled at the same time.")
    max_body_bytes: int = Field(32 << 20, ge=1, description="Largest request body.")
    max_picture_bytes: int = Field(20 << 20, ge=1, description="Largest picture file.")
    max_pixels: int = Field(50_000_000, ge=1, description="Most pixels of a picture, width times height.")
    formats_off: tuple[str, ...] = Field(
        (),
        description="Formats of pictures that are refused, comma separated, out of "
        f"{', '.join(BY_NAME)}: each one less is a decoder less that strangers reach.",
    )
    max_items: int = Field(256, ge=1, le=4096, description="Most items of one request.")
    bulk_max_bytes: int = Field(8 << 30, ge=1, description="Largest body of a bulk upload.")
    bulk_max_items: int = Field(250_000, ge=1, description="Most items of one bulk job.")
    bulk_max_unpacked_bytes: int = Field(64 << 30, ge=1, description="Most unpacked bytes of a bulk upload.")
    bulk_max_jobs: int = Field(
        32, ge=1, description="Bulk uploads that may wait to be read; above it submitting answers 429."
    )
    quarantine_max_items: int = Field(
        10_000,
        ge=1,
        description="Contributed pictures of a collection that may wait for a decision; above it, "
        "contributing answers 409.",
    )
    bulk_window_items: int = Field(
        2048, ge=1, description="Items of one bulk job that are read ahead of the workers."
    )
    smooth_max_items: int = Field(
        20_000,
        ge=1,
        description="Most items of a bulk job that is smoothed; its time grows with their square.",
    )
    roots: tuple[str, ...] = Field(
        (),
        description="Folders on the server that bulk jobs may read, comma separated; empty allows none.",
    )
    remote_prefixes: tuple[str, ...] = Field(
        (),
        description="fsspec prefixes of pictures that bulk jobs may name, such as s3://bucket/folder/, "
        "comma separated, each ending with a slash; empty allows none.",
    )
    max_queued_items: int = Field(
        200_000, ge=1, description="Items that may wait in total; above it submitting answers 429."
    )
    max_wait_s: float = Field(60.0, gt=0, description="Longest wait of Prefer: wait.")
    chunk_items: int = Field(64, ge=1, le=MAX_CHUNK_ITEMS, description="Most items of one chunk.")
    interactive_items: int = Field(16, ge=0, description="A request of at most this many items goes first.")
    lease_s: float = Field(
        20.0, gt=0, description="Time after which an unresponsive worker loses its chunks."
    )
    sweep_s: float = Field(3.0, gt=0, description="Time between two sweeps, by one of all workers.")
    claim_s: float = Field(5.0, gt=0, description="How long a worker continues to claim after one wake-up.")
    stall_s: float = Field(
        60.0,
        gt=0,
        description="A worker that claims nothing for this long while work waits is restarted; one that "
        "makes no progress with an upload for this long releases it.",
    )
    stop_s: float = Field(
        25.0,
        gt=0,
        description="How long a stopping process may take to finish what it does; the rest is requeued.",
    )
    max_attempts: int = Field(
        4, ge=1, description="Attempts of a chunk before it fails; after a first worker death it runs alone."
    )
    keep_vectors: bool = Field(
        True,
        description="Keep the vectors of classified items in half precision, 2 bytes a component, for "
        "the life of their job, so that answers can be decided again without the encoder; for the views "
        "`tiles` six of each item. False keeps none.",
    )
    history_days: float = Field(
        90.0,
        ge=0,
        description="How many days earlier versions of a collection can be answered as of, compared and "
        "restored; deleted supports keep their pictures and vectors as long. 0 keeps nothing.",
    )
    job_ttl_s: float = Field(
        7 * 86400.0, gt=0, description="How long finished jobs and their uploads are kept."
    )
    webhooks: tuple[str, ...] = Field(
        (),
        description="Hosts that webhooks may call, comma separated: names, *.example.com, or * for every "
        "public host; empty turns webhooks off.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        validate_default=True,
        description="Secrets that sign webhooks: whsec_ and 24 to 64 bytes as base64; of several, separated "
        "by spaces or line ends, newest first, all sign.",
    )
    webhook_private: bool = Field(
        False, description="Webhooks may use plain http and call private addresses, for closed networks."
    )
    min_free_bytes: int = Field(
        256 << 20,
        ge=0,
        description="The service is not ready while the data folder's disk has less free space.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address at which a worker serves its metrics, which contain no secrets."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port at which a worker serves its metrics; 0 adds them to the API's /metrics instead.",
    )
    otlp_endpoint: str = Field(
        "",
        description="OTLP endpoint for traces, such as http://127.0.0.1:4318; needs the tracing extra. "
        "Empty uses the standard OTEL_ variables, and without those nothing is traced.",
    )
    fetch_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts that pictures may be fetched from by URL, comma separated: names, *.example.com, "
        "or * for every public host; empty turns fetching off.",
    )
    fetch_private: bool = Field(
        False,
        description="Pictures may be fetched by plain http and from private addresses, for closed networks.",
    )
    fetch_s: float = Field(
        15.0, gt=0, description="Longest time to fetch one picture, including redirects and retries."
    )
    fetch_at_once: int = Field(
        32,
        ge=1,
        description="Pictures that one worker fetches at the same time per lane, half of them for one job.",
    )
    rate_limit: str = Field(
        "",
        pattern=_RATES,
        description="Rate limit per key, or per address without keys, such as 600/minute; "
        "several separated by semicolons; empty sets none.",
    )
    requests_at_once: int = Field(
        0,
        ge=0,
        description="Most concurrent requests per key or address; 0 sets no limit.",
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Names besides localhost that callers may use for this service while there are no keys, "
        "comma separated: the name that a proxy passes on, say.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web pages elsewhere that may call the service from a browser, comma separated: "
        "https://app.example.com say; empty allows none.",
    )
    proxies: int = Field(
        0,
        ge=0,
        le=8,
        description="Reverse proxies before the API that set X-Forwarded-For, -Proto, -Host and -Prefix; "
        "0 ignores these headers.",
    )
    log_level: str = Field(
        "INFO", pattern="^(?i:debug|info|warning|error)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("encoders")
    @classmethod
    def _check_encoders(cls, encoders: tuple[str, ...]) -> tuple[str, ...]:
        for encoder in filter(is_removed, encoders):
            do = f"offer another one, such as {PACKAGED[0]}; if it has collections, {REINDEX}"
            raise ValueError(removed(encoder, do=do).message)
        return encoders

    @field_validator("formats_off")
    @classmethod
    def _check_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in formats if name not in BY_NAME]
        if unknown:
            raise ValueError(f"expected formats out of {', '.join(BY_NAME)}, got {unknown[0]!r}")
        return formats

    @field_validator("remote_prefixes")
    @classmethod
    def _check_prefixes(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in prefixes:
            scheme, mark, rest = prefix.partition("://")
            if not scheme or not mark or not rest.endswith("/"):
                raise ValueError(
                    f"expected URLs that end with a slash, such as s3://bucket/folder/, got {prefix!r}: "
                    "without it they would also allow s3://bucket/folder-secret"
                )
        return prefixes

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        secrets = secret.get_secret_value().split()
        is_missing = not secrets and bool(info.data.get("webhooks"))
        if is_missing or not all(map(_is_webhook_secret, secrets)):
            raise ValueError(
                "expected whsec_ and 24 to 64 bytes as base64, which sign webhooks, or several of "
                "these with spaces between"
            )
        return secret

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign webhooks, newest first."""
        return tuple(self.webhook_secret.get_secret_value().split())

    @property
    def record_url(self) -> str:
        """The SQLAlchemy URL of the record."""
        return self.database_url or f"sqlite:///{quote(str(self.data.resolve()))}/record.sqlite"

    @property
    def blob_root(self) -> str:
        """The fsspec URL of the blobs."""
        return self.blobs_url or f"file://{self.data.resolve()}/blobs"

    @property
    def milvus_folder(self) -> Path:
        """The folder of Milvus Lite's files."""
        return self.data.resolve() / "milvus"

    @property
    def snapshot_folder(self) -> Path:
        """The folder of the replicas' snapshots."""
        return self.data.resolve() / "snapshots"


_LISTS = {name for name, about in Settings.model_fields.items() if about.annotation == tuple[str, ...]}


def _is_webhook_secret(text: str) -> bool:
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except ValueError:
        return False
    return text.startswith("whsec_") and 24 <= size <= 64


def read_settings(environment: Mapping[str, str] | None = None, **chosen: Any) -> Settings:
    """Read EXEMPLAR_* and the command-line options (None means not given).

    A variable with the suffix `_FILE` names a file with the value, as for container secrets. An unknown
    name or an invalid value raises `settings_invalid`.
    """
    found: dict[str, Any] = {}
    for name, text in (os.environ if environment is None else environment).items():
        if name.startswith(PREFIX) and name not in CLIENT_NAMES:
            key, value = _setting(name.removeprefix(PREFIX).lower(), text)
            found[key] = value
    found.update({name: value for name, value in chosen.items() if value is not None})
    for name in _LISTS & found.keys():
        if isinstance(found[name], str):
            found[name] = tuple(part.strip() for part in found[name].split(",") if part.strip())
    try:
        return Settings(**found)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        if first["type"] == "extra_forbidden":  # do not show its value, which may be a secret
            raise ExemplarError("settings_invalid", f"{name}: there is no such setting") from error
        is_secret = Settings.model_fields[str(first["loc"][0])].annotation is SecretStr
        got = "" if is_secret else f", got {first['input']!r}"
        raise ExemplarError("settings_invalid", f"{name}: {first['msg']}{got}") from error


def _setting(name: str, text: str) -> tuple[str, str]:
    if not name.endswith("_file"):
        return name, text
    try:
        return name.removesuffix("_file"), Path(text).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ExemplarError(
            "settings_invalid", f"{PREFIX}{name.upper()}: expected a readable file, got {text!r}"
        ) from error

"""Calling an Exemplar service from Python: `Exemplar`, and `AsyncExemplar` for asyncio."""

from exemplar_client.async_exemplar import AsyncExemplar
from exemplar_client.async_job import AsyncJob
from exemplar_client.errors import ServiceError
from exemplar_client.exemplar import Exemplar
from exemplar_client.job import Job
from exemplar_client.retries import Retries

__all__ = ["AsyncExemplar", "AsyncJob", "Exemplar", "Job", "Retries", "ServiceError"]

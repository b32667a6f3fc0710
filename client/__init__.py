"""Calling an Exemplar service from Python: `Exemplar`, and `AsyncExemplar` for asyncio."""

from client.async_exemplar import AsyncExemplar
from client.async_job import AsyncJob
from client.errors import ServiceError
from client.exemplar import Exemplar
from client.job import Job
from client.retries import Retries

__all__ = ["AsyncExemplar", "AsyncJob", "Exemplar", "Job", "Retries", "ServiceError"]

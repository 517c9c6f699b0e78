"""A Python client of the REST API: `Client`, and `AsyncClient` for asyncio. See docs/client.md."""

from scheduler.client.calls import Page
from scheduler.client.client import AsyncClient, Client
from scheduler.client.errors import (
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotInTime,
    NotTheApi,
    Refused,
    ServerFault,
    TooMany,
    Unauthenticated,
    Unreachable,
)
from scheduler.client.exchange import InMemory, Keeper
from scheduler.client.jobs import JobChanges, JobFilter, JobOptions, new_job
from scheduler.client.models import (
    ApiKey,
    Execution,
    Job,
    LogIn,
    Outcome,
    Queue,
    Runs,
    Schedule,
    Stats,
    TaskType,
    Template,
    User,
)
from scheduler.client.retries import Retries

__all__ = [
    "ApiKey",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "Execution",
    "Forbidden",
    "InMemory",
    "Invalid",
    "Job",
    "JobChanges",
    "JobFilter",
    "JobOptions",
    "Keeper",
    "LogIn",
    "NotFound",
    "NotInTime",
    "NotTheApi",
    "Outcome",
    "Page",
    "Queue",
    "Refused",
    "Retries",
    "Runs",
    "Schedule",
    "ServerFault",
    "Stats",
    "TaskType",
    "Template",
    "TooMany",
    "Unauthenticated",
    "Unreachable",
    "User",
    "new_job",
]

"""The way to Redis, and one error when it is away."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import contextlib
from collections.abc import Generator
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from scheduler.domain.errors import ConfigurationError, QueueUnavailable

_SENTINEL_SCHEME: Final = "redis+sentinel://"

_AWAY: Final = "Redis does not answer: check that it runs and that REDIS_URL is right."


def connect(url: str, *, timeout: float) -> "redis.Redis":
    """A client that fails within `timeout` seconds instead of trying for long: our own loops do the trying.

    Raises ConfigurationError for what is neither `redis(s)://` nor `redis+sentinel://`.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 1),  # once more: a server that came back leaves dead connections in the pool
        "protocol": 2,
    }
    try:
        if url.startswith(_SENTINEL_SCHEME):
            return _connect_by_sentinels(url, options)
        return redis.Redis.from_url(url, **options)
    except ValueError:  # whose text may hold a part of the password
        forms = "redis://:password@host:6379/0, or redis+sentinel://:password@host:26379/name for Sentinel"
        raise ConfigurationError(f"REDIS_URL is not a Redis URL. It has the form {forms}.") from None


def _connect_by_sentinels(url: str, options: dict[str, Any]) -> "redis.Redis":
    """A client of whichever server the sentinels call the primary, asked for each new connection.

    `redis+sentinel://:password@host:26379,host:26379/name`, one password for the servers and the sentinels: the form
    that the limits of requests are counted by, too.
    """
    parts = urlsplit(url)
    name = parts.path.strip("/")
    addresses = [address.partition(":") for address in parts.netloc.rpartition("@")[2].split(",")]
    if not name or not all(host and port for host, _, port in addresses):
        raise ValueError("no name of a primary, or no port of a sentinel")
    options |= {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
    sentinels = Sentinel([(host, int(port)) for host, _, port in addresses], sentinel_kwargs=options, **options)
    return sentinels.master_for(name)


@contextlib.contextmanager
def reaching_redis() -> Generator[None]:
    """Turns redis-py's failures to reach the server into QueueUnavailable."""
    try:
        yield
    except redis.exceptions.ReadOnlyError as error:
        raise QueueUnavailable("Redis is a read-only replica: point REDIS_URL at the primary.") from error
    except redis.exceptions.AuthenticationError as error:
        raise QueueUnavailable("Redis refuses the password in REDIS_URL.") from error
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
        raise QueueUnavailable(_AWAY) from error
    except redis.exceptions.RedisError as error:  # out of memory, in a fail-over, ...: no reason for a daemon to end
        raise QueueUnavailable(f"Redis refuses the command: {error}.") from error


def channel(client: "redis.Redis", name: str) -> str:
    """A pub/sub channel of this logical database: Redis itself shares channels between all of them."""
    return f"scheduler:{_database_number(client)}:{name}"


def _database_number(client: "redis.Redis") -> int:
    options = cast("dict[str, Any]", client.get_connection_kwargs())
    return int(options.get("db") or 0)

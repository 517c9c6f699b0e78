"""Alerts as all monitors share them, and their messages until they are sent."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler.domain.alert import Alert, Condition, News
from scheduler.store.connection import Connection, fetch_all, fetch_one

KEPT_SECONDS: Final = 86_400.0
"""A message that nobody took for so long is old news."""


@dataclass(frozen=True, slots=True)
class Look:
    """Leave to look at a condition: nobody else does before the next look is due."""

    condition: Condition
    at: datetime
    alert: Alert


_TAKE_LOOKS: Final = """
    INSERT INTO alerts (name) SELECT unnest(%(names)s::text[])
    ON CONFLICT (name) DO UPDATE SET looked_at = now()
    WHERE alerts.looked_at <= now() - make_interval(secs => %(every)s)
    RETURNING name, looked_at, is_firing, contrary_looks, since, told_at"""


def take_looks(conn: Connection, conditions: Collection[Condition], *, every_seconds: float) -> list[Look]:
    """Those of the conditions that nobody has looked at for that long, for the caller alone to look at."""
    rows = fetch_all(conn, _TAKE_LOOKS, {"names": sorted(each.value for each in conditions), "every": every_seconds})
    return [Look(Condition(name), at, Alert(*alert)) for name, at, *alert in rows]


_KEEP: Final = """
    WITH judged AS (
        UPDATE alerts SET is_firing = %(is_firing)s, contrary_looks = %(contrary_looks)s,
                          since = %(since)s, told_at = %(told_at)s
        WHERE name = %(name)s AND looked_at = %(looked_at)s
        RETURNING name, since
    )
    INSERT INTO alert_messages (channel, alert, news, summary, since)
    SELECT channel, name, %(news)s::text, %(summary)s, since
    FROM judged CROSS JOIN unnest(%(channels)s::text[]) AS channel
    WHERE %(news)s::text IS NOT NULL"""


def keep_look(
    conn: Connection, look: Look, alert: Alert, *, news: News | None, summary: str, channels: Collection[str]
) -> None:
    """Keep what came of a look, and a message for each channel if there are news.

    Nothing is kept of a look that took so long that another one began meanwhile.
    """
    parameters = {
        "name": look.condition.value,
        "looked_at": look.at,
        "is_firing": alert.is_firing,
        "contrary_looks": alert.contrary_looks,
        "since": alert.since,
        "told_at": alert.told_at,
        "news": news.value if news else None,
        "summary": summary,
        "channels": list(channels),
    }
    conn.execute(_KEEP, parameters)


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """A message that is to be sent over a channel."""

    id: int
    channel: str
    alert: str
    news: str
    summary: str
    since: datetime
    created_at: datetime

    @property
    def key(self) -> str:
        """The same whenever it is sent: what a receiver needs to recognise a repetition."""
        return f"alert-{self.id}-{self.created_at:%Y%m%d%H%M%S}"


_TAKE_MESSAGE: Final = """
    UPDATE alert_messages
    SET tries = tries + 1, try_at = now() + make_interval(secs => least(3600, 30 * 2 ^ least(tries, 10)))
    WHERE id = (
        SELECT id FROM alert_messages WHERE try_at <= now() AND channel = ANY (%(channels)s::text[])
        ORDER BY try_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, channel, alert, news, summary, since, created_at"""


def take_message(conn: Connection, channels: Collection[str]) -> AlertMessage | None:
    """One that is to be sent now over one of the channels; unless it is `forget_message`ed, it comes again later.

    That is half a minute later after the first time, twice as long each further time, an hour at most.
    """
    row = fetch_one(conn, _TAKE_MESSAGE, {"channels": list(channels)})
    return AlertMessage(*row) if row else None


def forget_message(conn: Connection, message_id: int) -> None:
    """It has arrived."""
    conn.execute("DELETE FROM alert_messages WHERE id = %(id)s", {"id": message_id})


_FORGET_OLD: Final = """
    DELETE FROM alert_messages WHERE created_at < now() - make_interval(secs => %(kept)s) RETURNING alert"""


def forget_old_messages(conn: Connection) -> list[str]:
    """Give up messages that nobody took for a day; the alerts that they were about."""
    return [row[0] for row in fetch_all(conn, _FORGET_OLD, {"kept": KEPT_SECONDS})]

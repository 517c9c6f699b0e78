"""The only room that speaks RQ and Redis (`executor/worker.py` aside, which is an RQ worker).

Redis carries job ids and wake-ups, and nothing that would be missed: losing all of it loses no job and no state.
A message is an RQ job whose one argument is a list of ids; nobody reads the function that it names.

connection.py  the way to Redis, and one error when it is away
messages.py    lists of ids on queues
capacity.py    what the live executors can take
outbox.py      the picker's side: room, and the push
signals.py     wake-ups and cancellations, said
listener.py    and heard
view.py        what lies there, for admins
"""

from scheduler.queue.capacity import CAPACITY_FIELD, LARGEST_MESSAGE, Capacity
from scheduler.queue.connection import channel, connect, reaching_redis
from scheduler.queue.listener import Listener
from scheduler.queue.messages import full_key, push_messages, queue_names
from scheduler.queue.outbox import MESSAGES_AHEAD, Outbox
from scheduler.queue.signals import Signals

__all__ = [
    "CAPACITY_FIELD",
    "LARGEST_MESSAGE",
    "MESSAGES_AHEAD",
    "Capacity",
    "Listener",
    "Outbox",
    "Signals",
    "channel",
    "connect",
    "full_key",
    "push_messages",
    "queue_names",
    "reaching_redis",
]

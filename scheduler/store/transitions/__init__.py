"""The only writer of jobs.status: each event of the state machine is one function and one statement.

claims.py    claim, claim_keyed                  a picker takes due jobs
limits.py    claim_held                          the same, from a queue that is paused or limited
attempts.py  start, complete, retry_later, fail  an executor runs them
upkeep.py    give_back, give_back_paused, take_back, rescue, bury, expire     what was left behind is set right
requests.py  cancel, retry, each also for many   a user decides

Every statement names the status that it starts from, and for an attempt its fence (`run`) as well. Zero rows
is a normal answer: someone else was first. Whatever ends an attempt writes its execution record in the same
statement, so neither is ever there without the other. The database's clock decides what is due or past.
"""

from scheduler.store.transitions.attempts import complete, fail, retry_later, start
from scheduler.store.transitions.claims import claim, claim_keyed
from scheduler.store.transitions.limits import Held, claim_held
from scheduler.store.transitions.requests import KEY_HAS_PASSED, cancel, cancel_free, retry, retry_many
from scheduler.store.transitions.upkeep import Rescued, bury, expire, give_back, give_back_paused, rescue, take_back

__all__ = [
    "KEY_HAS_PASSED",
    "Held",
    "Rescued",
    "bury",
    "cancel",
    "cancel_free",
    "claim",
    "claim_held",
    "claim_keyed",
    "complete",
    "expire",
    "fail",
    "give_back",
    "give_back_paused",
    "rescue",
    "retry",
    "retry_later",
    "retry_many",
    "start",
    "take_back",
]

"""Chaos: a cluster of real processes at work while everything under it breaks, and a verdict on the jobs.

tasks.py     what the jobs do: they keep a ledger that the scheduler does not know
load.py      jobs in, at a steady rate, and some cancelled
faults.py    a seed -> the faults, one after another
fleet.py     the processes of the product: killed, stopped, frozen, started again
wire.py      a network that gets slow, goes dead or breaks
injector.py  a fault -> what it does, and its end
verdict.py   the ledger against the database
run.py       one run from start to verdict
"""

"""The executor: takes messages into free slots, runs the attempts, records how they came out.

worker.py     the RQ worker: messages in
receiver.py   takes messages while there is room
starter.py    picked jobs -> started attempts, never more than there are free slots
hold.py       jobs claimed ahead of their time, until they are due
places.py     how many threads and processes at once
deadlines.py  whose time is up
run.py        one attempt, as a pipeline of named steps
result.py     what a task returned, as JSON
errors.py     what went wrong, as JSON
recorder.py   outcomes -> the database, by group commit
report.py     here I am: in PostgreSQL, for the list of workers
heartbeat.py  leases kept while attempts live, and dropped when they may not
executor.py   the life of the process, from start to drained
"""

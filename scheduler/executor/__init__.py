"""The executor: takes messages into free slots, runs the attempts, records how they came out.

worker.py     the RQ worker: messages in
receiver.py   a message -> started attempts, never more than there are free slots
run.py        one attempt, as a pipeline of named steps
recorder.py   outcomes -> the database, by group commit
heartbeat.py  leases kept while attempts live, and dropped when they may not
executor.py   the life of the process, from start to drained
"""

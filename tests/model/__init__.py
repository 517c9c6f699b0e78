"""A model of the life of a job, checked by machine against the real store.

world.py       what there is: jobs and executions, as far as the rules speak of them
act.py         what can be done: each act runs a statement of the store, and says what that should do
               (user_acts.py, picker_acts.py, executor_acts.py)
clock.py       acts of time, which the model injects
actors.py      who acts: pickers, executors, and the bag of messages between them, each with its own memory
overlap.py     two acts at once, in transactions that overlap
stage.py       where it happens, and every act is compared with the model
meetings.py    who may meet over a job
invariants.py  what must hold, whatever was done: the one place
life.py        the machine that makes up histories
"""

"""The monitor: what the whole system looks like, for Prometheus, for lists and statistics.

monitor.py  its duties, one file each, until it is stopped
duty.py     every so often, and never for more than a fifth of the time
settle.py   puts jobs at rest into the list indexes
add_up.py   adds up ended attempts for statistics
count.py    counts jobs for Prometheus
retain.py   removes jobs that ended long ago
watch.py    looks at what alerts are about
tell.py     sends their messages
"""

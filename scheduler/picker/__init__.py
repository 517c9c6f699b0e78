"""The picker: one duty, one file. Any number of pickers may run side by side.

recurring.py  schedules whose time comes -> jobs
claim.py      due jobs -> picked, onto the queues (frontier.py: from where to look; ahead.py: how much before its time)
rescue.py     jobs whose holder died -> round again, or failed
expire.py     jobs that can no longer start in time -> failed
forget.py     answers kept for repeated requests -> gone after a day; log-ins that are over, and old failures to log in
picker.py     runs the duties (sparing.py: none takes more than its share)
"""

"""The monitor: what the whole system looks like, for Prometheus and for probes.

server.py   /healthz and /metrics
monitor.py  counts jobs now and then, until it is stopped
"""

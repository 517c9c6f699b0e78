"""Builds the processes from the settings: the only room that knows all others.

One file a process, so that each imports what it runs and no more.
"""

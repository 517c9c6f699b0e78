"""Who is asking."""

from scheduler.domain.caller import OPERATOR, Caller


def current_caller() -> Caller:
    """The caller of the present request.

    There are no accounts yet: whoever reaches the API is taken for the operator of the machine. That is why
    it listens on the loopback address only and answers to the machine's own names (see guard.py).
    """
    return OPERATOR

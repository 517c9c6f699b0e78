"""Slots: what is taken, and who is told when there is room."""

import threading

from scheduler.executor.slots import Slots
from tests.eventually import eventually


def test_no_more_is_taken_than_there_is() -> None:
    slots = Slots(5)
    assert (slots.take(3), slots.take(3), slots.take(1)) == (3, 2, 0)
    assert slots.busy == 5
    slots.release(2)
    assert slots.take(9) == 2


def test_there_is_room_once_a_slot_is_free() -> None:
    slots = Slots(2)
    slots.take(2)
    assert not slots.wait_for_room(2, limit=0)
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(slots.wait_for_room(2, limit=60)))
    waiter.start()
    slots.release()
    eventually(lambda: found == [True])
    waiter.join()

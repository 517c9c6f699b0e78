"""A handler is a function, and `run_task` gives it what an executor would."""

import pytest
from word_count import word_count

from scheduler.domain.errors import InvalidInput
from scheduler.tasks import PermanentError
from scheduler.testing import run_task


def test_it_counts() -> None:
    ran = run_task(word_count, {"text": "To be, or not\nto be", "most": 2})
    assert ran.result == {"words": 6, "most": [["to", 2], ["be", 2]]}
    assert ran.log == ["6 words, 4 of them different"]
    assert ran.progress == [(0.0, "0 of 2 lines")]


def test_no_words() -> None:
    with pytest.raises(PermanentError):
        run_task(word_count, {"text": "..."})


def test_bad_data() -> None:
    with pytest.raises(InvalidInput, match=r"task\.data\.most"):
        run_task(word_count, {"text": "", "most": 0})

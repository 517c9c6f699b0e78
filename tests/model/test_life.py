"""The life of a job under every interleaving that hypothesis thinks of; `MODEL_EXAMPLES=5000` thinks for longer.

A failure prints the shortest history that it found, as steps of `Life`, a `LifeOfJobs`.
"""

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.actors import lab_on
from tests.model.life import LifeOfJobs

EXAMPLES: Final = int(os.environ.get("MODEL_EXAMPLES", "40"))
STEPS: Final = 50


@pytest.mark.timeout(120 + 10 * EXAMPLES)
def test_no_history_breaks_a_rule(database_url: str) -> None:
    with lab_on(database_url) as lab:

        class Life(LifeOfJobs):
            def __init__(self) -> None:
                super().__init__(lab)

        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )

"""The short form of `scripts/chaos`: about a minute, always the same faults, and nothing may be found.

Throughput is left to the long form: on a busy machine it says more of the machine.
"""

import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.chaos.run import Options, run
from tests.chaos.verdict import SPEED

OPTIONS = Options(seed=20, seconds=30.0, rate=20.0, window=2.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and compares the clocks of processes")
@pytest.mark.timeout(300)
def test_nothing_is_lost_whatever_breaks() -> None:
    folder = Path(mkdtemp(prefix="scheduler-chaos-"))
    os.chmod(folder, 0o755)  # the servers run under another account when we are root
    verdict = run(OPTIONS, folder, print)
    assert verdict.found(apart_from=SPEED) == {}, f"seed {OPTIONS.seed}; logs and databases: {folder}"
    shutil.rmtree(folder)

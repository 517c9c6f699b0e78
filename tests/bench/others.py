"""The peers: each fills its queue, then its workers start. Timed from the first start until it holds all as done."""

import json
import os
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.bench.stage import Stage

_HERE: Final = Path(__file__).parent / "peers"
_BIN: Final = Path(__file__).parents[2] / ".artefacts" / "peers" / "bin"
_PYTHON: Final = str(_BIN / "python")
_PATIENCE_SECONDS: Final = 120

Commands = Sequence[Sequence[str]]

CELERY: Final = [
    [
        *(_PYTHON, "-m", "celery", "-A", "celery_peer", "worker", "-c", "2", "-P", "prefork", "-l", "ERROR"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
]
DRAMATIQ: Final = [[_PYTHON, "-m", "dramatiq", "dramatiq_peer", "--processes", "2", "--threads", "8"]]
RQ: Final = [
    [str(_BIN / "rq"), "worker-pool", "-n", "2", "-w", "rq.worker.SimpleWorker", "-l", "ERROR", "-q", "default"]
]
PROCRASTINATE: Final = [[_PYTHON, "procrastinate_peer.py", "work"]] * 2
PGQUEUER: Final = [[_PYTHON, "pgqueuer_peer.py", "work"]] * 2


def throughput(script: str, workers: Commands) -> Callable[[Stage, int], dict[str, Any]]:
    """The peer that `script` in the folder beside describes, with these workers."""

    def run(stage: Stage, jobs: int) -> dict[str, Any]:
        with stage.place() as place:
            ticks = place.folder / "ticks"
            ticks.mkdir()
            environment = {
                **os.environ,
                "BENCH_DATABASE_URL": place.database_url,
                "BENCH_REDIS_URL": place.redis_url,
                "RQ_REDIS_URL": place.redis_url,
                "BENCH_TICKS": str(ticks),
                "PYTHONPATH": str(_HERE),
            }
            ask = [_PYTHON, script]
            subprocess.run([*ask, "seed", str(jobs)], cwd=_HERE, env=environment, check=True)
            with ExitStack() as stack:
                for number, command in enumerate(workers):
                    stack.enter_context(_running(command, environment, place.folder / f"{number}.log"))
                waiting = subprocess.run(
                    [*ask, "wait", str(jobs)],
                    cwd=_HERE,
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    timeout=_PATIENCE_SECONDS,
                )
            measured = json.loads(waiting.stdout)
            return {"jobs/s": measured["jobs"] / measured["seconds"]}

    return run


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str], log_file: Path) -> Generator[None]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=_HERE, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

"""deploy/systemd: units that systemd takes, which run the program's own commands."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest

from tests.unit.deploy.program import ROOT, require_command, require_settings

FOLDER: Final = ROOT / "deploy" / "systemd"
UNITS: Final = sorted(path.name for path in FOLDER.glob("*.service"))
PROGRAM: Final = "/opt/scheduler/.venv/bin/scheduler"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the units that starts the program of this environment: systemd looks whether it is there."""
    folder = shutil.copytree(FOLDER, tmp_path / "system")
    for unit in folder.glob("*.service"):
        unit.write_text(unit.read_text("utf-8").replace(PROGRAM, str(Path(sys.executable).with_name("scheduler"))))
    return folder


def test_every_process_has_a_unit_and_those_of_which_there_may_be_more_a_template() -> None:
    started = {unit: _only(unit, "ExecStart").removeprefix(f"{PROGRAM} ") for unit in UNITS}
    assert started == {
        "scheduler-api.service": "api",
        "scheduler-executor@.service": "executor",
        "scheduler-migrate.service": "migrate",
        "scheduler-monitor.service": "monitor",
        "scheduler-picker@.service": "picker",
    }
    for command in started.values():
        require_command(command)


@pytest.mark.parametrize("unit", [*UNITS, "scheduler.target"])
def test_systemd_takes_it(installed: Path, unit: str) -> None:
    verified = _systemd_analyze("verify", "--man=no", "--recursive-errors=no", str(installed / unit))
    assert verified.stderr == ""
    assert verified.returncode == 0


@pytest.mark.parametrize("unit", UNITS)
def test_it_may_do_little(installed: Path, unit: str) -> None:
    """Also that what the units have in common reaches each of them: alone, they would be rated 9 and more."""
    rated = _systemd_analyze("security", "--offline=true", "--threshold=20", str(installed / unit))
    assert rated.returncode == 0, rated.stdout[-200:]


def test_what_they_have_in_common() -> None:
    common = _read(FOLDER / "scheduler-.service.d" / "common.conf")
    settings = dict(pair.split("=", 1) for pair in common["Service"]["Environment"].split())
    require_settings(settings)
    assert int(common["Service"]["TimeoutStopSec"]) > float(settings["SHUTDOWN_GRACE_SECONDS"])
    assert common["Service"]["StateDirectory"] == Path(settings["SCHEDULER_DATA_DIR"]).name
    assert common["Unit"]["PartOf"] == "scheduler.target"


@pytest.mark.parametrize("unit", UNITS)
def test_the_target_starts_it(unit: str) -> None:
    assert _read(FOLDER / unit)["Install"]["WantedBy"] == "scheduler.target"


def _read(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read_string(path.read_text("utf-8"))
    return parser


def _only(unit: str, key: str) -> str:
    (value,) = re.findall(rf"^{key}=(.+)$", (FOLDER / unit).read_text("utf-8"), re.MULTILINE)
    return value


def _systemd_analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

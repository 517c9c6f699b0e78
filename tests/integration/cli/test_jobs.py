"""`scheduler jobs` against a running system."""

import json
import signal
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import Result

from scheduler.cli.jobs import jobs
from tests.eventually import eventually
from tests.integration.cli.running import Shell, System

REFUSED_TASK = '{"url": "http://127.0.0.1:9/"}'
"""For the type `api`: not a public address, so the attempt fails and no other is made."""


@pytest.fixture
def cli(shell: Shell, system: System) -> Shell:
    shell.setenv(SCHEDULER_URL=system.url, SCHEDULER_TOKEN=system.environment["SCHEDULER_TOKEN"])
    return shell


def ok(result: Result) -> Any:
    """The JSON that a command printed, which went well."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def create(cli: Shell, *options: str) -> int:
    """A new job, a long way ahead unless `options` say otherwise."""
    return cast("int", ok(cli.run(jobs, "create", "noop", "--in", "3600", "--json", *options))["id"])


def test_create_sends_every_option(cli: Shell) -> None:
    options = {
        "--at": "2199-01-01T10:00:00+02:00",
        "--name": "first",
        "--queue": "slow",
        "--priority": "2",
        "--max-attempts": "7",
        "--timeout": "1.5",
        "--unique-key": "only-one",
        "--concurrency-key": "one-at-a-time",
    }
    arguments = [part for option in options.items() for part in option]
    job = ok(cli.run(jobs, "create", "write_file", "--data", '{"path": "a", "content": "b"}', "--json", *arguments))
    assert job["task"]["type"] == "write_file"
    assert job["task"]["data"]["content"] == "b"
    expected = {
        "scheduled_at": "2199-01-01T08:00:00Z",
        "name": "first",
        "queue": "slow",
        "priority": 2,
        "max_attempts": 7,
        "timeout_seconds": 1.5,
        "unique_key": "only-one",
        "concurrency_key": "one-at-a-time",
    }
    assert {name: job[name] for name in expected} == expected


def test_data_comes_from_a_file_or_from_stdin(cli: Shell, tmp_path: Path) -> None:
    data = {"path": "a", "content": "ü"}
    (tmp_path / "data.json").write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    arguments = ("create", "write_file", "--in", "3600", "--json", "--data")
    from_file = ok(cli.run(jobs, *arguments, f"@{tmp_path / 'data.json'}"))
    from_stdin = ok(cli.run(jobs, *arguments, "-", stdin=json.dumps(data)))
    assert from_file["task"]["data"]["content"] == from_stdin["task"]["data"]["content"] == "ü"


@pytest.mark.parametrize("data", ["{", "[1]", "@missing.json", "nonsense"])
def test_bad_data_is_refused_before_anything_is_sent(cli: Shell, data: str) -> None:
    result = cli.run(jobs, "create", "noop", "--data", data)
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_a_problem_is_one_line_and_exit_code_1(cli: Shell) -> None:
    result = cli.run(jobs, "create", "noop", "--priority", "12")
    assert result.exit_code == 1
    assert result.stderr.startswith("scheduler: priority: ")
    assert result.stderr.count("\n") == 1


def test_a_unique_key_in_use_answers_with_the_job_that_bears_it(cli: Shell) -> None:
    first = create(cli, "--unique-key", "in-use")
    result = cli.run(jobs, "create", "noop", "--in", "3600", "--unique-key", "in-use")
    assert f"job {first} is there already" in result.stdout


def test_list_filters_and_aligns(cli: Shell) -> None:
    job_id = create(cli, "--queue", "listed", "--name", "needle")
    create(cli, "--queue", "listed", "--name", "hay")
    found = ok(cli.run(jobs, "list", "--search", "needle", "--queue", "listed", "--status", "pending", "--json"))
    assert [job["id"] for job in found["jobs"]] == [job_id]
    head, row = cli.run(jobs, "list", "--search", "needle", "--type", "noop").stdout.splitlines()
    assert row.index("needle") == head.index("NAME")
    assert row.index("pending") == head.index("STATUS")


def test_hostile_text_does_not_reach_the_terminal(cli: Shell) -> None:
    name = "red \x1b[31m\x9b2J\u202etxt\nsecond line"
    job_id = create(cli, "--name", name, "--queue", "hostile")
    assert ok(cli.run(jobs, "show", str(job_id), "--json"))["name"] == name
    for command in (("list", "--queue", "hostile"), ("show", str(job_id))):
        shown = cli.run(jobs, *command).stdout
        assert "red [31m2Jtxt second line" in shown
        assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


def test_cancel_and_retry_go_on_after_a_refusal(cli: Shell) -> None:
    first, second = create(cli), create(cli)
    cancelled = cli.run(jobs, "cancel", str(first), "999999", str(second))
    assert cancelled.exit_code == 1
    assert cancelled.stdout == f"job {first} is cancelled\njob {second} is cancelled\n"
    assert "job 999999: " in cancelled.stderr
    assert "cancelled" in cli.run(jobs, "cancel", str(first)).stderr
    retried = cli.run(jobs, "retry", str(first), "--json")
    assert ok(retried)["id"] == first


def test_wait_ends_with_the_job(cli: Shell) -> None:
    completed = cli.run(jobs, "create", "noop", "--wait")
    assert completed.exit_code == 0, completed.output
    assert "completed" in completed.stdout.splitlines()[-1]
    failed = cli.run(jobs, "create", "api", "--data", REFUSED_TASK, "--wait", "--json")
    assert failed.exit_code == 1
    last = json.loads(failed.stdout.splitlines()[-1])
    assert last["status"] == "failed"
    assert cli.run(jobs, "tail", "--job", str(last["id"])).exit_code == 1
    shown = cli.run(jobs, "show", str(last["id"])).stdout
    assert "ATTEMPT" in shown
    assert last["error"]["message"] in shown


def test_tail_shows_what_changes_until_ctrl_c(cli: Shell, system: System) -> None:
    waiting = create(cli, "--name", "tailed")
    process = system.start("jobs", "tail", "--url", system.url, "--json")
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        assert any(json.loads(line)["id"] == waiting for line in lines)
        cli.run(jobs, "cancel", str(waiting))
        assert next(job for job in map(json.loads, lines) if job["id"] == waiting)["status"] == "cancelled"
        new = create(cli)
        assert any(json.loads(line)["id"] == new for line in lines)
        process.send_signal(signal.SIGINT)
        assert eventually(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_what_was_exported_is_imported_as_it_was(cli: Shell, tmp_path: Path) -> None:
    task = '{"path": "=1+1", "content": "\'-ü\\nsecond, \\"line\\""}'
    arguments = ("create", "write_file", "--data", task, "--json", "--at", "2199-01-01T00:00:00Z", "--queue", "out")
    job = ok(cli.run(jobs, *arguments, "--name", "=HYPERLINK(1)", "--priority", "2", "--timeout", "1.5"))
    for form in ("csv", "jsonl"):
        file = tmp_path / f"jobs.{form}"
        assert cli.run(jobs, "export", "--queue", "out", "--format", form, "--output", str(file)).exit_code == 0
        assert ok(cli.run(jobs, "import", str(file), "--json"))["created"] >= 1
        copy = ok(cli.run(jobs, "list", "--queue", "out", "--json"))["jobs"][0]
        same = ("name", "task", "priority", "timeout_seconds", "scheduled_at", "queue", "max_attempts")
        assert copy["id"] > job["id"]
        assert {name: copy[name] for name in same} == {name: job[name] for name in same}
    assert not [*tmp_path.glob("*.part")]


def test_an_import_says_which_line_is_wrong_and_goes_on_where_it_stopped(cli: Shell, tmp_path: Path) -> None:
    good: dict[str, Any] = {"task": {"type": "noop", "data": {}}, "queue": "resumed", "delay_seconds": 3600}
    bad = {**good, "priority": 12}
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, [*[good] * 5, bad, good])))
    stopped = cli.run(jobs, "import", "--batch", "2", str(file))
    assert stopped.exit_code == 1
    assert "line 6: priority: " in stopped.stderr
    assert "4 created" in stopped.stderr
    file.write_text("\n".join(map(json.dumps, [good] * 7)))
    assert ok(cli.run(jobs, "import", "--batch", "2", "--json", str(file))) == {"created": 3, "already_there": 4}
    assert ok(cli.run(jobs, "list", "--queue", "resumed", "--json"))["pagination"]["total"] == 7


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"task": {"type": "noop", "data": {}}, "delay_seconds": 9999}\n{"task": \n', "line 2 is not JSON"),
        ("[1]", "item 1 is not a JSON object"),
        ('[{"task": {"type": "noop", "data": {}}}', "the file is not JSON"),
        ('[{"task": {"type": "nope", "data": {}}}]', "item 1: task.type"),
        ("nonsense\n", "line 1: "),
        ("task_type,colour\nnoop,red\n", "no column can be 'colour'"),
        ('task_type,priority\nnoop,"1\n2"\n', "line 2: priority is not a number"),
        ("task_type,task_data\nnoop\n", "line 2 has 1 cells under 2 columns"),
        ("task_type,task_data\nnoop,{\n", "line 2: task_data is not JSON"),
    ],
)
def test_a_file_that_will_not_do_is_one_line(cli: Shell, text: str, place: str) -> None:
    result = cli.run(jobs, "import", "-", stdin=text)
    assert result.exit_code == 1
    assert place in result.stderr
    assert "0 created" in result.stderr

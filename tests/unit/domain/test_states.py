"""The state machine: every state and event against the contract's table, and against the diagram in the docs."""

import re
from pathlib import Path

import pytest

from scheduler.domain.errors import IllegalTransition
from scheduler.domain.states import ENDED, LIVE, TRANSITIONS, Event, JobStatus, next_status, sources

CONTRACT: dict[tuple[str, str], str] = {
    ("pending", "claim"): "picked",
    ("picked", "start"): "running",
    ("running", "complete"): "completed",
    ("running", "retry_later"): "pending",
    ("running", "fail"): "failed",
    ("pending", "cancel"): "cancelled",
    ("picked", "cancel"): "cancelled",
    ("running", "cancel"): "cancelled",
    ("picked", "rescue"): "pending",
    ("running", "rescue"): "pending",
    ("running", "bury"): "failed",
    ("picked", "give_back"): "pending",
    ("failed", "retry"): "pending",
    ("cancelled", "retry"): "pending",
    ("pending", "expire"): "failed",
}
"""The contract's table, written out once more, with words of its own: it does not follow the code."""

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "states.md"
ARROW = re.compile(r"^\s*(\w+) --> (\w+): (\w+)$", re.MULTILINE)

EVERY_CASE = [(status, event) for status in JobStatus for event in Event]


def test_the_states_are_the_contracts() -> None:
    assert [status.value for status in JobStatus] == [
        "pending",
        "picked",
        "running",
        "completed",
        "failed",
        "cancelled",
    ]


def test_the_moves_are_the_contracts() -> None:
    assert {(status.value, event.value): to.value for (status, event), to in TRANSITIONS.items()} == CONTRACT


@pytest.mark.parametrize(("status", "event"), EVERY_CASE)
def test_each_state_and_event(status: JobStatus, event: Event) -> None:
    if expected := CONTRACT.get((status.value, event.value)):
        assert next_status(status, event) == expected
        assert status in sources(event)
    else:
        with pytest.raises(IllegalTransition) as refused:
            next_status(status, event)
        assert refused.value.current_status == status.value
        assert status.value in str(refused.value)
        assert status not in sources(event)


def test_every_event_happens_somewhere() -> None:
    assert all(sources(event) for event in Event)


def test_live_jobs_are_held_and_ended_ones_move_on_a_users_word_alone() -> None:
    assert {status.value for status in LIVE} == {"picked", "running"}
    assert {status.value for status in ENDED} == {"completed", "failed", "cancelled"}
    assert {event for status, event in TRANSITIONS if status in ENDED} == {Event.RETRY}


def test_the_documents_diagram_is_the_code() -> None:
    text = DOCUMENT.read_text("utf-8")
    diagram = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    assert len(diagram) == 1
    arrows = ARROW.findall(diagram[0])
    assert len(arrows) == len(set(arrows))
    assert {(JobStatus(start), Event(event)): JobStatus(end) for start, end, event in arrows} == TRANSITIONS
    assert diagram[0].count("-->") == len(arrows) + 2  # how a job comes in, and the state that is final


def test_the_document_explains_every_event() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)) == {e.value for e in Event}

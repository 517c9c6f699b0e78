"""When to try again: how delays grow, how jitter spreads them, and when to give up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.domain.retry import DEFAULT_RETRY, Backoff, RetryPolicy, next_delay, retry_delay

YEAR = timedelta(days=365).total_seconds()

backoffs = st.sampled_from(Backoff)
seconds = st.floats(0, YEAR)
attempts = st.integers(1, 100)
lucks = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy, backoff=backoffs, delay_seconds=seconds, max_delay_seconds=seconds, jitter=st.booleans()
)
steady = st.builds(
    RetryPolicy, backoff=backoffs, delay_seconds=seconds, max_delay_seconds=seconds, jitter=st.just(False)
)
jittered = st.builds(
    RetryPolicy, backoff=backoffs, delay_seconds=seconds, max_delay_seconds=seconds, jitter=st.just(True)
)


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (Backoff.EXPONENTIAL, [5, 10, 20, 40, 60, 60]),
        (Backoff.LINEAR, [5, 10, 15, 20, 25, 30]),
        (Backoff.FIXED, [5, 5, 5, 5, 5, 5]),
    ],
)
def test_delays_of_each_backoff(backoff: Backoff, expected: list[float]) -> None:
    policy = RetryPolicy(backoff, delay_seconds=5, max_delay_seconds=60, jitter=False)
    assert [retry_delay(policy, attempt, 0.0) for attempt in range(1, 7)] == expected


def test_the_default_policy_is_the_contracts() -> None:
    assert RetryPolicy(Backoff.EXPONENTIAL, 5, 3600, jitter=True) == DEFAULT_RETRY


@given(policies, attempts, lucks)
def test_a_delay_is_never_negative_and_never_over_its_bound(policy: RetryPolicy, attempt: int, luck: float) -> None:
    assert 0 <= retry_delay(policy, attempt, luck) <= policy.max_delay_seconds


@given(steady, st.integers(1, 99), lucks, lucks)
def test_without_jitter_delays_grow_and_luck_plays_no_part(
    policy: RetryPolicy, attempt: int, luck: float, other: float
) -> None:
    delay = retry_delay(policy, attempt, luck)
    assert delay <= retry_delay(policy, attempt + 1, luck)
    assert delay == retry_delay(policy, attempt, other)


@given(jittered, attempts, lucks)
def test_jitter_draws_from_the_upper_half(policy: RetryPolicy, attempt: int, luck: float) -> None:
    plain = RetryPolicy(policy.backoff, policy.delay_seconds, policy.max_delay_seconds, jitter=False)
    whole = retry_delay(plain, attempt, luck)
    delay = retry_delay(policy, attempt, luck)
    assert whole / 2 <= delay <= whole
    assert retry_delay(policy, attempt, 0.0) <= delay


def test_jitter_uses_the_whole_of_the_upper_half() -> None:
    policy = RetryPolicy(Backoff.FIXED, delay_seconds=100, jitter=True)
    assert [retry_delay(policy, 1, luck) for luck in (0.0, 0.5, 0.99)] == [50, 75, 99.5]


@given(policies, st.integers(1, 10_000_000))
def test_no_number_of_attempts_overflows(policy: RetryPolicy, attempt: int) -> None:
    assert retry_delay(policy, attempt, 0.5) <= policy.max_delay_seconds


@given(policies, attempts, attempts, lucks)
def test_attempts_run_out(policy: RetryPolicy, attempt: int, max_attempts: int, luck: float) -> None:
    delay = next_delay(policy, attempt, max_attempts, TaskError("no luck"), luck)
    if attempt >= max_attempts:
        assert delay is None
    else:
        assert delay == retry_delay(policy, attempt, luck)


@given(policies, attempts, lucks)
def test_a_permanent_error_ends_it_at_once(policy: RetryPolicy, attempt: int, luck: float) -> None:
    assert next_delay(policy, attempt, 1000, PermanentError("never"), luck) is None


@given(policies, attempts, st.floats(0, YEAR), lucks)
def test_retry_later_asks_for_its_own_delay(policy: RetryPolicy, attempt: int, wanted: float, luck: float) -> None:
    assert next_delay(policy, attempt, 1000, RetryLater(wanted), luck) == wanted


def test_retry_later_gets_no_more_attempts_than_others() -> None:
    assert next_delay(DEFAULT_RETRY, 3, 3, RetryLater(1), 0.0) is None


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError(), RuntimeError()])
def test_any_exception_is_tried_again(error: Exception) -> None:
    assert next_delay(DEFAULT_RETRY, 1, 3, error, 0.0) == 2.5

"""What there is to say of an account's jobs: how many of each kind there are, and how the last hours went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from scheduler.domain.states import JobStatus
from scheduler.domain.statistics import Performance


@dataclass(frozen=True, slots=True)
class JobsSummary:
    """Counts are of the moment `until`; performance is of the attempts that ended since `since`."""

    since: datetime
    until: datetime
    status_counts: Mapping[JobStatus, int]
    task_types: Mapping[str, int]
    performance: Performance

"""What a time limit must leave for the last step and its checkpoint."""

from __future__ import annotations

import pytest
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import UserError
from thoughtline.models import checkpoints
from thoughtline.models.pace import SAFETY, TEARDOWN, Pace
from thoughtline.models.train import require_progress


def test_the_reserve_follows_what_was_measured():
    pace = Pace()
    assert pace.reserve(24 * 3600) == 300 and pace.reserve(600) == 60 and pace.reserve(60) == TEARDOWN
    pace.slower(step=30, save=400)
    pace.slower(step=20, save=100)
    assert pace.reserve(24 * 3600) == SAFETY * 430 + TEARDOWN > 300
    assert pace.reserve(1000) == 500  # a chain whose reserve were its whole limit would never get anywhere


def test_the_least_limit_lets_a_segment_load_step_and_save():
    pace = Pace(load=120, step=30, save=60)
    limit = 60 * pace.least_minutes()
    assert limit - pace.reserve(limit) > pace.load + pace.step


def checkpoint(work, step):
    folder = work / "run" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    checkpoints.mark_complete(folder)


def test_a_segment_must_add_a_checkpoint(tmp_path):
    with pytest.raises(UserError, match=r"5 minutes are too short.*loading took 200\.0 s.*at least 10 minutes"):
        require_progress(tmp_path, 0, Pace(load=200), Deadline(5))
    checkpoint(tmp_path, 7)
    require_progress(tmp_path, 0, Pace(), Deadline(5))
    with pytest.raises(UserError, match="too short"):
        require_progress(tmp_path, 7, Pace(), Deadline(5))

"""What docs/plan.md says of the calibration holds for the table in the repository."""

import pytest
from thoughtline.plan import calibration
from thoughtline.plan.calibration import calibrate, published
from thoughtline.plan.show import calibration_text

RATES, ROWS = calibrate()
TRAINING = {row.name: row for row in ROWS if row.kind == "training"}
GENERATION = {row.name: row for row in ROWS if row.kind == "generation"}


def test_every_release_with_a_cost_is_in_the_table():
    costs = {name: row.published for name, row in TRAINING.items()}
    assert costs["OpenThinker-7B"] == 640 and costs["OpenThinker-32B"] == 2880
    assert costs["OpenThinker-32B-Unverified"] == 11520 and costs["OpenThinker2-32B"] == 25600
    assert costs["Sky-T1-32B-Preview"] == 152
    assert GENERATION["DeepSeek-R1, vLLM"].published == pytest.approx(1000 / 15, rel=0.01)
    assert GENERATION["DeepSeek-R1, SGLang"].published == pytest.approx(1000 / 25, rel=0.01)


def test_six_of_seven_trainings_are_within_20_percent_when_left_out():
    within = [name for name, row in TRAINING.items() if abs(row.left_out_error) <= 0.2]
    assert len(TRAINING) == 7 and len(within) == 6
    assert 0.4 < TRAINING["OpenThinker2-32B"].left_out_error < 0.5


def test_the_fit_uses_no_more_parameters_than_it_says():
    for row, run in zip(TRAINING.values(), published()[0], strict=True):
        assert row.predicted == pytest.approx(run.work / RATES.training + run.rest / RATES.network)
    for row, run in zip(GENERATION.values(), published()[1], strict=True):
        assert row.predicted == pytest.approx(run.work / RATES.generation + run.rest)


def test_generation_is_told_within_40_percent_when_left_out():
    assert all(abs(row.left_out_error) < 0.4 for row in GENERATION.values() if row.fitted)
    # Evaluations of one model are one experiment: they are left out together.
    alone = {row.left_out / row.predicted for name, row in GENERATION.items() if name.startswith("Six")}
    assert max(alone) == pytest.approx(min(alone), rel=0.01) and max(alone) < 0.97


def test_a_run_that_is_not_fitted_changes_neither_rates_nor_ranges(monkeypatch):
    alone = {name for name, row in GENERATION.items() if not row.fitted}
    assert alone == {"DeepSeek-R1's SFT data, DeepSeek's own engine"}
    trainings, generations = published()
    monkeypatch.setattr(
        calibration, "published", lambda: (trainings, [run for run in generations if run.name not in alone])
    )
    rates, rows = calibrate.__wrapped__()
    assert rates == RATES and len(rows) == len(ROWS) - 1
    row = GENERATION[alone.pop()]
    assert row.predicted == row.left_out and 6 < row.predicted / row.published < 7


def test_the_table_is_printed_with_its_verdict():
    page = calibration_text(RATES, ROWS)
    assert "6 of 7 runs left out are within 20 %" in page
    assert "Sky-T1-32B-Preview, USD" in page and page.count("not fitted") == 1

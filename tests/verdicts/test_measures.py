"""Measures of verdicts: what they may be, and how they are written."""

import pytest
from thoughtline.common.measures import scale_of
from thoughtline.verdicts.verdict import Verdict
from thoughtline.verdicts.verify import NoVerifier, row_of
from verdict_rows import question, trace


def test_measures_are_written_as_json():
    asked = question("q")
    verifier = NoVerifier({"verifier": {"verifier": "none"}})
    assert row_of(trace(asked, "r"), verifier.verify(asked, {}), verifier)["measures"] == "{}"
    verdict = Verdict("incorrect", "x", measures={"rating": (7, 1), "instruction_strict": (1, 3)})
    assert row_of(trace(asked, "r"), verdict, verifier)["measures"] == '{"instruction_strict":[1,3],"rating":[7,1]}'


@pytest.mark.parametrize(
    "measures", [{"a": (2, 1)}, {"a": (0, 0)}, {"rating": (0, 1)}, {"rating": (11, 1)}, {"a": (-1, 2)}]
)
def test_values_outside_the_scale_are_refused(measures):
    with pytest.raises(ValueError, match="its scale is"):
        Verdict("correct", measures=measures)
    assert scale_of("rating") == (1, 10) and scale_of("anything") == (0, 1)

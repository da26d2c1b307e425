import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from judge_service import Service


@pytest.fixture
def service():
    made = []

    def start(script):
        made.append(Service(script))
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()

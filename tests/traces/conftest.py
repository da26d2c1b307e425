from collections.abc import Iterator

import pytest
from dummy_service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()

import contextlib

import pytest
from transports import Net


@pytest.fixture
def net():
    with contextlib.ExitStack() as stack:
        yield Net(stack)

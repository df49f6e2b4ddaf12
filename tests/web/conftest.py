"""Fixtures for tests of the page."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _closed():
    yield
    # Here, since this file is read where httpx is missing, too.
    from serving import WEB

    WEB.close()

"""Fixtures for tests of video files."""

import pytest


@pytest.fixture
def clip(tmp_path):
    # Here, since this file is read where PyAV is missing, too.
    from clips import moving, write_clip

    return write_clip(tmp_path / "in.mp4", moving(30))

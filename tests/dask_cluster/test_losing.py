"""Between a scheduler's loss and the client's knowing of it, what is asked fails."""

import pytest
from distributed import Client
from distributed.comm import CommClosedError

from srkit.dask import tasks


@pytest.fixture
def client():
    with Client(processes=False, n_workers=1, dashboard_address=":0") as made:
        yield made


def test_tasks_go_on_where_workers_cannot_be_counted(client, monkeypatch):
    def lost():
        raise CommClosedError("reset by peer")

    monkeypatch.setattr(client, "nthreads", lost)
    monkeypatch.setattr(tasks, "COUNTING", -1.0)
    done = list(tasks.bounded(client, abs, range(-5, 0), retries=0, resources={}))
    assert sorted(one.value for one in done) == [1, 2, 3, 4, 5]


def test_the_first_error_is_told_where_the_rest_cannot_be_taken_back(client, monkeypatch):
    def lost(futures, force):
        raise ConnectionResetError(104, "reset by peer")

    monkeypatch.setattr(client, "cancel", lost)
    with pytest.raises(TypeError, match="bad operand type"):
        list(tasks.all_done(client, abs, ["a", *range(9)], retries=0, resources={}))

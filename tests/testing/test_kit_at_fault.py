"""What the kit says where it cannot be asked what it checks."""

import pytest
from dummies import Nearest, card

import srkit
from srkit import testing
from srkit.models import loading


@pytest.mark.parametrize(
    ("source", "skipped"),
    [
        ("packaged", ""),
        ("distribution:numpy", ""),
        ("/nowhere/net.bin", ""),
        ("distribution:not-there", "missing: not-there"),
        ("https://example.org/net.bin", "missing: its weights"),
    ],
)
def test_weights_that_a_package_owes_are_not_skipped_but_fail(
    source, skipped, monkeypatch, tmp_path
):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(loading, "REGISTRY", srkit.Registry())
    weights = {2: srkit.WeightsFile("numpy/no_such_net.bin", "0" * 64, source)}
    srkit.register(card("lost", adapter="dummies:Nearest", weights=weights))
    (case,) = testing.parametrize((testing.check_run,), "lost").args[1]
    assert [mark.kwargs["reason"] for mark in case.marks] == [skipped] * bool(skipped)
    if not skipped:
        check, factory = case.values
        with pytest.raises(AssertionError, match=r"^check_run: WeightsError: .* are missing"):
            check(factory)


def test_a_model_in_the_place_of_what_makes_one_is_told():
    for check in (testing.check_upscaler, testing.check_run):
        with pytest.raises(AssertionError, match=r"^check_\w+: give a function that makes the mod"):
            check(Nearest())

"""One step against a discriminator."""

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="needs pip install 'srkit[train]'")

from srkit.adapters.pytorch.nets.discriminator import Discriminator
from srkit.training.methods import _Both


def test_batch_norm_takes_its_statistics_of_photos_and_of_results_apart():
    # A generator is judged by itself: were the discriminator trained on mixtures, what it
    # learned of them would not hold there.
    torch.manual_seed(0)
    judge = Discriminator(4)
    photos, made = torch.rand(3, 3, 24, 24), 5 * torch.rand(3, 3, 24, 24)
    apart = _Both(judge)(photos, made)
    torch.testing.assert_close(apart[1], judge(made))
    mixed = judge(torch.cat([photos, made])).chunk(2)
    assert not torch.allclose(apart[1], mixed[1], atol=1e-3)

"""Muon is torch's, in the precision of the run."""

import pytest
import torch

from absolute_zero.pretraining.training.muon import Muon, orthogonal

SHAPES = ((24, 24), (8, 24), (40, 16))


def moved(made: type[torch.optim.Optimizer], **more: object) -> list[torch.Tensor]:
    """Weights after three steps, the second of which leaves one of them out."""
    torch.manual_seed(3)
    weights = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    optimiser = made(weights, lr=0.05, weight_decay=0.3, **more)  # type: ignore[call-arg]
    for step in range(3):
        for place, weight in enumerate(weights):
            weight.grad = None if step == place == 1 else torch.randn(weight.shape) / (place + 1)
        optimiser.step()
    return [weight.detach() for weight in weights]


def test_in_bfloat16_it_is_torchs() -> None:
    for ours, theirs in zip(moved(Muon, dtype=torch.bfloat16), moved(torch.optim.Muon), strict=True):
        assert torch.equal(ours, theirs)


def test_in_float32_it_is_the_same_but_for_rounding() -> None:
    for ours, theirs in zip(moved(Muon, dtype=torch.float32), moved(torch.optim.Muon), strict=True):
        assert not torch.equal(ours, theirs)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(4)
    matrix = torch.randn(shape) * 1e-3
    values = torch.linalg.svdvals(orthogonal(matrix, torch.float32))
    assert 0.2 < values.min() <= values.max() < 1.3
    assert ((orthogonal(matrix, torch.float32) * matrix).sum() / matrix.norm()).item() > 0.5 * min(shape) ** 0.5


def test_what_torchs_has_kept_is_gone_on_with() -> None:
    torch.manual_seed(5)
    weight = torch.nn.Parameter(torch.randn(8, 8))
    theirs, ours = torch.optim.Muon([weight], lr=0.1), Muon([weight], 0.1, 0.1, torch.float32)
    weight.grad = torch.randn(8, 8)
    theirs.step()
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours.state[weight]["momentum_buffer"], theirs.state[weight]["momentum_buffer"])
    ours.step()

"""set_seed fixes every generator in use and says so."""

import random
import sys

import numpy as np
import pytest

from ml_lifecycle import set_seed
from ml_lifecycle.foundation import BadInputError

def test_the_same_draws_again() -> None:
    draws = []
    for _ in range(2):
        assert set_seed(3)["numpy"] == 3
        draws.append((random.random(), np.random.rand(), random.random()))
    assert draws[0] == draws[1]


def test_torch_too() -> None:
    torch = pytest.importorskip("torch")
    set_seed(np.int64(5))
    first = torch.rand(3)
    assert set_seed(5)["torch"] == 5
    assert torch.equal(first, torch.rand(3))


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert set_seed(1) == {"python": 1, "numpy": 1, "torch": None}


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None, True])
def test_a_seed_out_of_range(seed: object) -> None:
    with pytest.raises(BadInputError, match="`seed` must be an int in the range"):
        set_seed(seed)  # type: ignore[arg-type]

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tiny
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def models() -> dict[str, Any]:
    return {attention: tiny.thinker(attention) for attention in ("sdpa", "eager")}


@pytest.fixture(params=["sdpa", "eager"])
def either(request: pytest.FixtureRequest, models: dict[str, Any]) -> Any:
    """The model under each attention implementation."""
    return models[request.param]


@pytest.fixture
def model(models: dict[str, Any]) -> Any:
    return models["sdpa"]

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contextguard.errors import PlanError
from contextguard.token_map import TokenMap


def blocks(sizes: list[int], dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(sum(sizes))
    return [torch.randn(n, 3, generator=rng).to(dtype) for n in sizes]


def by_hand(token_map: TokenMap, tokens: torch.Tensor) -> torch.Tensor:
    """The sparse map as a dense matrix, times the tokens, in float64."""
    dense = torch.zeros(token_map.kept, token_map.length, dtype=torch.float64)
    for i in range(token_map.kept):
        for k in range(int(token_map.offsets[i]), int(token_map.offsets[i + 1])):
            dense[i, int(token_map.sources[k])] += float(token_map.weights[k])
    return dense @ tokens.double()


@st.composite
def maps(draw: st.DrawFn) -> tuple[TokenMap, list[int]]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    length = sum(sizes)
    position = sorted(draw(st.sets(st.integers(0, length - 1), min_size=1)))
    sources, weights, offsets = [], [], [0]
    for at in position:
        if draw(st.booleans()):
            mine, w = [at], [1.0]
        else:
            mine = draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=4))
            w = draw(
                st.lists(st.floats(0.125, 1.0, width=32), min_size=len(mine), max_size=len(mine))
            )
        sources += mine
        weights += w
        offsets.append(len(sources))
    tensors = [torch.tensor(x) for x in (position, offsets, sources)]
    return TokenMap(length, *tensors, torch.tensor(weights)), sizes


@given(maps())
def test_apply_is_the_matrix_product(case: tuple[TokenMap, list[int]]) -> None:
    token_map, sizes = case
    tokens = blocks(sizes)
    torch.testing.assert_close(
        token_map.apply(tokens).double(),
        by_hand(token_map, torch.cat(tokens)),
        atol=1e-5,
        rtol=1e-5,
    )


@given(maps())
def test_json_and_back(case: tuple[TokenMap, list[int]]) -> None:
    token_map, sizes = case
    again = TokenMap.from_dict(json.loads(json.dumps(token_map.to_dict())))
    for name in ("position", "offsets", "sources", "weights"):
        assert torch.equal(getattr(again, name), getattr(token_map, name))
    assert again.length == sum(sizes)


def test_identity() -> None:
    identity = TokenMap.identity(5)
    assert identity.is_identity
    assert identity.to_dict() == {"identity": 5}
    assert TokenMap.from_dict({"identity": 5}).is_identity
    x = blocks([2, 3], torch.bfloat16)
    assert torch.equal(identity.apply(x), torch.cat(x))


def test_what_is_not_the_identity() -> None:
    assert not TokenMap.keep(5, torch.tensor([0, 1, 2, 3])).is_identity
    swapped = TokenMap(
        2, torch.tensor([0, 1]), torch.arange(3), torch.tensor([1, 0]), torch.ones(2)
    )
    assert not swapped.is_identity
    halved = TokenMap(
        2, torch.tensor([0, 1]), torch.arange(3), torch.arange(2), torch.full((2,), 0.5)
    )
    assert not halved.is_identity
    assert halved.untouched.tolist() == [False, False]


def test_mean_of_blocks_keeps_the_place_of_the_first() -> None:
    merged = TokenMap.means(12, [(torch.tensor([0, 2]), [4, 8])])
    assert merged.position.tolist() == [4, 6]
    x = torch.arange(12.0)[:, None]
    assert merged.apply([x[:4], x[4:8], x[8:]]).flatten().tolist() == [6.0, 8.0]
    assert merged.untouched.tolist() == [False, False]


def test_kept_tokens_keep_their_bits() -> None:
    x = blocks([4, 4], torch.bfloat16)
    kept = TokenMap.keep(8, torch.tensor([1, 3, 6]))
    assert torch.equal(kept.apply(x), torch.cat(x)[[1, 3, 6]])


def test_groups_apply_in_order() -> None:
    joined = TokenMap.means(8, [(torch.tensor([1, 2]), [0]), (torch.tensor([0]), [4, 6])])
    x = torch.arange(8.0)[:, None]
    assert joined.position.tolist() == [1, 2, 4]
    assert joined.apply([x]).flatten().tolist() == [1.0, 2.0, 5.0]


def test_sources_of_one_block_add_up_in_any_order() -> None:
    scattered = TokenMap(
        4,
        position=torch.tensor([0, 2, 3]),
        offsets=torch.tensor([0, 2, 4, 6]),
        sources=torch.tensor([0, 1, 0, 2, 1, 3]),
        weights=torch.tensor([0.25, 0.75, 0.5, 0.5, 1.0, 2.0]),
    )
    x = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    assert scattered.apply([x[:3], x[3:]]).flatten().tolist() == [1.75, 2.5, 18.0]


def test_apply_is_differentiable() -> None:
    x = torch.arange(4.0)[:, None].requires_grad_()
    merged = TokenMap.means(4, [(torch.tensor([0]), [0]), (torch.tensor([0]), [2, 3])])
    merged.apply([x]).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1.0, 0.0, 0.5, 0.5]


def valid() -> dict[str, Any]:
    return {
        "length": 4,
        "position": torch.tensor([0, 2]),
        "offsets": torch.tensor([0, 1, 3]),
        "sources": torch.tensor([0, 2, 3]),
        "weights": torch.tensor([1.0, 0.5, 0.5]),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": torch.tensor([0, 3])}, "3 offsets ending in 3"),
        ({"offsets": torch.tensor([0, 1, 2])}, "ending in 3"),
        ({"weights": torch.ones(2)}, "3 weights, got 3 and 2"),
        ({"offsets": torch.tensor([0, 0, 3])}, "at least one source"),
        ({"position": torch.tensor([2, 0])}, "strictly ascending"),
        ({"position": torch.tensor([1, 1])}, "strictly ascending"),
        ({"position": torch.tensor([0, 4])}, "position 4 lies outside the 4"),
        ({"sources": torch.tensor([0, -1, 3])}, "source -1 lies outside the 4"),
    ],
)
def test_tensors_that_describe_no_map(change: dict[str, Any], message: str) -> None:
    TokenMap(**valid())
    with pytest.raises(PlanError, match=message):
        TokenMap(**(valid() | change))


def test_blocks_of_another_size() -> None:
    with pytest.raises(PlanError, match="covers 4 tokens, got 5"):
        TokenMap.identity(4).apply([torch.ones(5, 2)])

"""People and lists that go by several forms end where their last event put them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof.mixed_forms import judge


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(10_000, 1_000_000_000))
def test_random_histories_end_as_if_applied_one_at_a_time(seed: int) -> None:
    """`python -m tests.proof.mixed_forms 10000` judges more of them."""
    assert judge(seed) is None


@pytest.mark.parametrize("seed", range(40))
def test_the_same_histories_each_time(seed: int) -> None:
    assert judge(seed) is None

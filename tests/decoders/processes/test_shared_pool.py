import pytest

from decoders.limits import DEFAULT, Limits
from decoders.processes import shared_pool
from decoders.processes.worker import DecodeJob

JOB = DecodeJob("/nowhere.mp4", ())


def test_bundles_of_a_process_share_one_pool_until_the_last_lets_go() -> None:
    first, second = shared_pool.acquire(DEFAULT), shared_pool.acquire(DEFAULT)
    assert first is second
    shared_pool.release(DEFAULT)
    first.submit(JOB)  # still open
    shared_pool.release(DEFAULT)
    with pytest.raises(ValueError, match="closed"):
        first.submit(JOB)


def test_a_pool_that_has_been_closed_is_not_given_out_again() -> None:
    first = shared_pool.acquire(DEFAULT)
    shared_pool.release(DEFAULT)
    second = shared_pool.acquire(DEFAULT)
    assert second is not first
    shared_pool.release(DEFAULT)


def test_other_limits_have_a_pool_of_their_own() -> None:
    strict = Limits(memory_bytes=1 << 30)
    first, second = shared_pool.acquire(DEFAULT), shared_pool.acquire(strict)
    assert (first.limits, second.limits) == (DEFAULT, strict)
    shared_pool.release(DEFAULT)
    shared_pool.release(strict)

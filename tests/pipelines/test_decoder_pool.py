import pytest

from decoders.limits import DEFAULT, Limits
from decoders.worker import DecodeJob
from pipelines import decoder_pool

JOB = DecodeJob("/nowhere.mp4", ())


def test_bundles_of_a_process_share_one_pool_until_the_last_lets_go() -> None:
    first, second = decoder_pool.acquire(DEFAULT), decoder_pool.acquire(DEFAULT)
    assert first is second
    decoder_pool.release(DEFAULT)
    first.submit(JOB)  # still open
    decoder_pool.release(DEFAULT)
    with pytest.raises(ValueError, match="closed"):
        first.submit(JOB)


def test_a_pool_that_has_been_closed_is_not_given_out_again() -> None:
    first = decoder_pool.acquire(DEFAULT)
    decoder_pool.release(DEFAULT)
    second = decoder_pool.acquire(DEFAULT)
    assert second is not first
    decoder_pool.release(DEFAULT)


def test_other_limits_have_a_pool_of_their_own() -> None:
    strict = Limits(memory_bytes=1 << 30)
    first, second = decoder_pool.acquire(DEFAULT), decoder_pool.acquire(strict)
    assert (first.limits, second.limits) == (DEFAULT, strict)
    decoder_pool.release(DEFAULT)
    decoder_pool.release(strict)

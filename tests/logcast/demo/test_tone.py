import numpy as np

from logcast.demo.tone import BEEP_S, FRAME_SAMPLES, SAMPLE_RATE, Tone, one_second


def test_any_stretch_joins_the_next_without_a_click() -> None:
    tone = Tone()
    joined = np.concatenate([tone.samples(number * FRAME_SAMPLES)[0] for number in range(200)])
    largest_step = np.abs(np.diff(one_second())).max()
    assert np.abs(np.diff(joined)).max() <= largest_step * 1.001


def test_the_beep_is_at_the_full_second() -> None:
    second = one_second()
    beep = int(BEEP_S * SAMPLE_RATE)
    assert np.abs(second[:beep]).max() > 3 * np.abs(second[beep:]).max()
    assert np.abs(second).max() < 0.5


def test_both_channels_have_the_frame_that_aac_takes() -> None:
    samples = Tone().samples(SAMPLE_RATE - 10)
    assert samples.shape == (2, FRAME_SAMPLES)
    assert samples.dtype == np.float32
    assert np.array_equal(samples[0], samples[1])

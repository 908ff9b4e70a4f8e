"""What examples are compared with, in the form the model gets it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ft.core.data.baselines import baseline, blurred, choose_baselines, tell_baseline
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.number import NumberColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.data.shapes import Framing
from ft.core.errors import ConfigError

IMAGE = ImageColumn((3, 4, 5), (0.5, 0.4, 0.3), (0.2, 0.25, 0.5))


def test_black_is_black_and_mean_the_mean_colour_after_normalisation() -> None:
    stored = torch.randint(0, 256, (1, 3, 4, 5), dtype=torch.uint8)
    prepared = IMAGE.prepare(stored)
    black = baseline(IMAGE, "black", stored, prepared)
    for channel, value in enumerate((-2.5, -1.6, -0.6)):
        torch.testing.assert_close(black[0, channel], torch.full((4, 5), value))
    assert baseline(IMAGE, "mean", stored, prepared).abs().max() == 0


def test_silence_is_a_sound_of_zeros() -> None:
    framing = Framing(rate=8000, samples=800, window=256, hop=128, fft=256, mels=8)
    column = AudioColumn(framing, (-3.0,) * 8, (2.0,) * 8)
    stored = torch.randint(-9000, 9000, (1, 800), dtype=torch.int16)
    found = baseline(column, "silence", stored, column.prepare(stored))
    torch.testing.assert_close(found, torch.full(found.shape, (np.log(1e-6) + 3.0) / 2.0, dtype=torch.float32))


def test_blur_is_a_bell_of_an_eighth_of_each_side() -> None:
    pictures = torch.rand(1, 2, 32, 48, generator=torch.Generator().manual_seed(0))
    wanted = [gaussian_filter(each, (4, 6), mode="nearest", radius=(8, 12)) for each in pictures[0].double().numpy()]
    np.testing.assert_allclose(blurred(pictures)[0].numpy(), np.stack(wanted), atol=1e-5)
    assert blurred(torch.ones(1, 1, 1, 3)).flatten().tolist() == pytest.approx([1, 1, 1])


def test_a_number_is_compared_with_its_mean_and_nothing_is_missing() -> None:
    flagged = NumberColumn(mean=0.0, std=1.0, flag=True, instead=41.5)
    prepared = flagged.prepare(torch.tensor([float("nan")]))
    assert baseline(flagged, "mean", torch.tensor([0.0]), prepared).tolist() == [[41.5, 0.0]]
    assert tell_baseline(flagged, "mean") == "41.5 (the mean)"
    assert tell_baseline(NumberColumn(29.7, 14.5), "mean") == "29.7 (the mean)"
    assert tell_baseline(NumberColumn(quantiles=(1.0, 2.0, 9.0)), "mean") == "2 (the median)"
    assert tell_baseline(NumberColumn(), "mean") == "0 (as it is not normalised)"
    vector = VectorColumn((2,), flag=True, instead=(3.0, 4.0))
    prepared = vector.prepare(torch.tensor([[1.0, float("nan")]]))
    assert baseline(vector, "mean", prepared, prepared).tolist() == [[3.0, 4.0, 0.0, 0.0]]


def test_a_wish_is_for_the_inputs_that_know_it_and_the_others_keep_theirs() -> None:
    columns = {"photo": IMAGE, "age": NumberColumn(3.0, 2.0), "city": CategoryColumn(("a",), unknown=True)}
    assert choose_baselines(columns, None) == {"photo": "black", "age": "mean", "city": "mean"}
    assert choose_baselines(columns, "blur") == {"photo": "blur", "age": "mean", "city": "mean"}
    assert choose_baselines(columns, "zero") == {"photo": "black", "age": "mean", "city": "zero"}


def test_a_wish_that_no_input_knows_or_can_keep_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no input knows it; photo \(image\) knows black, mean, blur"):
        choose_baselines({"photo": IMAGE}, "white")
    plain = ImageColumn((1, 4, 4), (0.0,), (1.0,))
    with pytest.raises(ConfigError, match="photo is not normalised"):
        choose_baselines({"photo": plain}, "mean")

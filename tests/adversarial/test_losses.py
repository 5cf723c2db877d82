"""Adversarial losses by hand, flicker, the rate controller, and what is said of a discriminator's health."""

from __future__ import annotations

import logging
import math

import pytest
import torch

from scaleflow.adversarial.discriminators import Judgement
from scaleflow.adversarial.flicker import flicker
from scaleflow.adversarial.health import PATIENCE, DiscriminatorHealth
from scaleflow.adversarial.loss_kinds import LOSSES
from scaleflow.adversarial.losses import accuracy, discriminator_loss, feature_matching, generator_loss
from scaleflow.adversarial.rate_controller import RateController
from scaleflow.errors import UsageError


def judged(*scores: float) -> Judgement:
    return Judgement((torch.tensor(scores).view(1, 1, 1, -1),), (torch.tensor(scores).view(1, 1, 1, -1),))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("kind", "of_discriminator", "of_generator"),
    [
        ("non-saturating", softplus(-2) + softplus(-1), softplus(1)),
        ("hinge", 0 + 0, 1),
        ("least-squares", 1 + 1, 4),
        # one of each: the mean is the score itself
        ("relativistic", 2 * softplus(-3), 2 * softplus(3)),
    ],
)
def test_values(kind: str, of_discriminator: float, of_generator: float) -> None:
    original, decoded = judged(2.0), judged(-1.0)
    assert float(discriminator_loss(kind, original, decoded)) == pytest.approx(of_discriminator)  # type: ignore[arg-type]
    assert float(generator_loss(kind, original, decoded)) == pytest.approx(of_generator)  # type: ignore[arg-type]


def test_hinge_counts_what_is_within_the_margin() -> None:
    assert float(discriminator_loss("hinge", judged(0.25, 3.0), judged(-0.5, 0.5))) == pytest.approx(0.375 + 1.0)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_decoder_is_drawn_towards_originals(kind: str) -> None:
    scores = torch.tensor([-0.5, 0.3], requires_grad=True)
    decoded = Judgement((scores.view(1, 1, 1, 2),), ())
    generator_loss(kind, judged(0.7, 0.9), decoded).backward()  # type: ignore[arg-type]
    assert scores.grad is not None and bool((scores.grad < 0).all())


def test_unknown_kinds_and_missing_originals_are_refused() -> None:
    with pytest.raises(UsageError, match="'wasserstein' is no adversarial loss: choose among non-saturating"):
        discriminator_loss("wasserstein", judged(0.0), judged(0.0))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="relativistic"):
        generator_loss("relativistic", None, judged(0.0))


def test_features_of_originals_are_targets() -> None:
    real, fake = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.0, 4.0], requires_grad=True)
    matching = feature_matching(Judgement((), (real,)), Judgement((), (fake,)))
    assert float(matching) == pytest.approx(1.5)
    matching.backward()
    assert real.grad is None and fake.grad is not None


def test_accuracy_counts_both_sides() -> None:
    assert accuracy(judged(1.0, 2.0), judged(-1.0, 1.0)) == pytest.approx(0.75)


def test_flicker_is_what_the_original_does_not_do() -> None:
    torch.manual_seed(0)
    original = torch.randn(1, 3, 6, 16, 16)
    still = [torch.zeros(1, 2, 8, 8)] * 2
    assert float(flicker(original, original + 0.3, still)) == pytest.approx(0, abs=1e-5)  # constant error: no flicker
    blinking = original.clone()
    blinking[:, 1] += 0.5
    assert float(flicker(original, blinking, still)) == pytest.approx(0.5, abs=1e-5)
    assert float(flicker(original[:, :1], blinking[:, :1], [])) == 0


def test_errors_that_move_with_the_picture_are_no_flicker() -> None:
    torch.manual_seed(0)
    error = torch.randn(1, 6, 16, 16)
    moved = torch.roll(error, 2, 3)  # 2 packed samples, 4 of luma
    decoded = torch.stack((error, moved), 1)
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = -4
    original = torch.zeros_like(decoded)
    followed = float(flicker(original, decoded, [flow]))
    assert followed < 0.3 * float(flicker(original, decoded, [torch.zeros_like(flow)]))


def test_the_rate_settles_at_its_target() -> None:
    controller = RateController(0.1, speed=0.05)
    rate = 0.3
    for _ in range(400):
        controller.note(rate)
        rate = 0.3 / (1 + max(0.0, float(controller.price)))  # dearer bits, fewer of them
    assert rate == pytest.approx(0.1, rel=0.1)
    bits = torch.tensor(0.25, requires_grad=True)
    controller(bits).backward()
    assert bits.grad is not None and float(bits.grad) == float(controller.price) > 1
    restored = RateController(0.1)
    restored.load_state_dict(controller.state_dict())
    assert float(restored.price) == float(controller.price)
    for _ in range(10_000):
        controller.note(1e9)
    assert float(controller.price) == controller.highest
    with pytest.raises(UsageError, match="0 of a rate controller"):
        RateController(0)


@pytest.mark.parametrize(
    ("accuracy_of_step", "gradient", "words"),
    [
        (0.99, 1.0, "lower adversarial.learning_rate"),
        (0.5, 1.0, "raise adversarial.learning_rate"),
        (0.8, 0.0, "another adversarial.loss"),
    ],
)
def test_what_is_wrong_is_said_once(
    accuracy_of_step: float, gradient: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    health = DiscriminatorHealth()
    with caplog.at_level(logging.WARNING, "scaleflow"):
        told = [health.note(accuracy_of_step, gradient) for _ in range(2 * PATIENCE)]
    messages = [message for message in told if message]
    assert len(messages) == 1 and words in messages[0] and told.index(messages[0]) == PATIENCE - 1
    assert [record.getMessage() for record in caplog.records] == messages
    healthy = DiscriminatorHealth()
    assert not any(healthy.note(0.8, 1.0) for _ in range(2 * PATIENCE))

"""DAFL, data-free learning of student networks (Chen et al., ICCV 2019).

One batch a step: the generator minimises oh * L_oh + ie * L_ie + a * L_a (Eq. 7), for confident and
balanced predictions of the teacher and large activations, and the student is distilled on the same
images (Eq. 8). Defaults are the official values for CIFAR-10.

Differs from the paper where the official code does: Adam and SGD in place of NAG, the entropy in
decimal logarithms. Differs from the official code: the student after the last epoch is the result,
not the best on the test set.
"""

from dataclasses import dataclass

from torch import Tensor

from baselines.joint_state import JointState
from baselines.joint_training import JointSynthesizer
from naturalinversion import priors
from naturalinversion.loss_weights import check_weights, weighted_sum
from naturalinversion.validation import above_zero, at_least

TERMS = ("one_hot", "information_entropy", "activation")  # of the generator, with a weight each


@dataclass(kw_only=True)
class DAFL(JointSynthesizer):
    """The synthesizer; its student is trained in `prepare`, on images that are not stored.

    Weights of the generator's terms (Eq. 7), 0 for none: ``one_hot``, the cross-entropy against the
    teacher's own argmax (`priors.one_hot`), no target label as ``cross_entropy`` is of other
    methods; ``information_entropy``, of balanced classes; ``activation``, of large features before
    the last layer. ``temperature`` softens the student's distillation (Eq. 8), without a factor
    temperature squared, which CMI and Fast-DFKD have. ``generator_eps`` is that of the
    generator's two inner batch norms.
    """

    epochs: int = 2000
    steps: int = 120
    batch_size: int = 1024
    latent: int = 1000
    rate_generator: float = 0.02
    milestones: tuple[float, ...] = (0.4, 0.8)
    one_hot: float = 0.05
    information_entropy: float = 5.0
    activation: float = 0.01
    temperature: float = 1.0
    generator_eps: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, TERMS)
        at_least(0, self, "generator_eps")
        above_zero(self, "temperature")

    @property
    def inner_eps(self) -> float:
        return self.generator_eps

    def step(self, state: JointState, latents: Tensor) -> dict[str, Tensor]:
        images = state.generator(latents[0])
        observation = state.teacher.observe(images, embedding=self.activation > 0)
        terms = {}
        if self.one_hot:
            terms["one_hot"] = priors.one_hot(observation.logits)
        if self.information_entropy:
            terms["information_entropy"] = priors.information_entropy(observation.logits)
        if observation.embedding is not None:
            terms["activation"] = priors.activation(observation.embedding)
        generator_loss = weighted_sum(self, terms)
        logits = state.student(images.detach())
        student_loss = priors.distillation(logits, observation.logits.detach(), self.temperature)
        state.generator_optimizer.zero_grad()
        state.student_optimizer.zero_grad()
        (generator_loss + student_loss).backward()  # type: ignore[no-untyped-call]
        state.generator_optimizer.step()
        state.student_optimizer.step()
        terms |= {"generator": generator_loss, "student": student_loss}
        return {name: term.detach() for name, term in terms.items()}

"""The methods of the benchmark under one interface: `METHODS`.

`noise` among them is a control: what a student learns without any synthesis. `REFERENCES` are not
data-free: they are trained on the real images, for comparison.
"""

from baselines.cmi import CMI
from baselines.dafl import DAFL
from baselines.deep_inversion import AdaptiveDeepInversion, DeepInversion
from baselines.dfad import DFAD
from baselines.fast_dfkd import FastDFKD
from baselines.noise import Noise
from baselines.wgan_settings import WassersteinSettings
from naturalinversion.natural_inversion import AdaptiveNaturalInversion, NaturalInversion
from naturalinversion.synthesis import Synthesizer

METHODS: dict[str, type[Synthesizer]] = {
    "dafl": DAFL,
    "dfad": DFAD,
    "di": DeepInversion,
    "adi": AdaptiveDeepInversion,
    "ni": NaturalInversion,
    "ni_adi": AdaptiveNaturalInversion,
    "cmi": CMI,
    "fast": FastDFKD,
    "noise": Noise,
}

REFERENCES: dict[str, type] = {"wgan_gp": WassersteinSettings}

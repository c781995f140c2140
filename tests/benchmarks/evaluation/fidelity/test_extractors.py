"""The networks that look at images, and where their weights come from."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import nn
from torch_fidelity import FeatureExtractorInceptionV3

from benchmarks.engine.machine import Machine
from benchmarks.evaluation.fidelity import extractors
from benchmarks.evaluation.fidelity.extractors import FeatureStep, find_extractor
from benchmarks.evaluation.fidelity.features import extract
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.seeds import seeded
from tests.benchmarks.evaluation.fidelity.tiny import CPU, INCEPTION, LITE, TORCHVISION, noise

MACHINE = Machine("cpu", "fp32", 1)
FILES = {
    INCEPTION: "weights-inception-2015-12-05-6726825d.pth",
    TORCHVISION: "inception_v3_google-0cc3c7bd.pth",
}


def published(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the file's were the published weights of the extractor."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = replace(extractors.EXTRACTORS[name], sha256=sha256[:8])
    monkeypatch.setitem(extractors.EXTRACTORS, name, spec)


def test_efficientnet_is_the_published_network_and_sees_what_it_was_trained_on() -> None:
    """Folding the batch norms changes nothing, and a palace is a palace."""
    from efficientnet_lite_pytorch import EfficientNet

    extractor = find_extractor(LITE)
    assert extractor.display == "efficientnet-lite0@57934424"
    picture = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)
    images = picture[None, :, :, 106:533]
    found = extract(images, extractor, CPU)
    assert {n: tuple(v.shape) for n, v in found.items()} == {
        "stem": (1, 32),
        "1280": (1, 1280),
        "logits_unbiased": (1, 1000),
    }
    plain = EfficientNet.from_name(LITE)
    plain.load_state_dict(torch.load(extractor.weights, weights_only=True))
    x = torch.nn.functional.interpolate(images.float(), size=224, mode="bilinear")
    with torch.no_grad():
        logits = plain.eval()((x - 127) / 128)
    palace = 698
    assert logits.argmax().item() == palace
    unbiased = logits - plain._fc.bias
    assert torch.allclose(found["logits_unbiased"], unbiased, atol=2e-3)


def test_features_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images, extractor = noise(5, 16, 0), find_extractor(LITE)
    together = extract(images, extractor, CPU)
    monkeypatch.setattr(extractors, "CPU_BATCH", 1)
    apart = extract(images, extractor, CPU)
    for name in together:
        assert torch.allclose(together[name], apart[name], atol=1e-4)


def test_an_unknown_extractor_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"^unknown extractor 'vgg': choose inception-v3-compat, "):
        find_extractor("vgg")


@pytest.mark.parametrize("name", FILES)
def test_missing_inception_weights_name_both_ways_out(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for given in (None, tmp_path / "absent.pth"):
        with pytest.raises(MissingError) as caught:
            find_extractor(name, given)
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)
        assert "--inception-weights" in str(caught.value)
    with pytest.raises(MissingError, match=f"^{name} needs {FILES[name]}, .* or --download"):
        find_extractor(name)


@pytest.mark.parametrize("name", FILES)
def test_only_a_wanted_download_happens_and_is_checked(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked: list[tuple[str, str]] = []

    def fetch(url: str, path: str, hash_prefix: str, progress: bool) -> None:
        asked.append((url, hash_prefix))
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(MissingError, match="can't be fetched: invalid hash value"):
        find_extractor(name, download=True)
    ((url, prefix),) = asked
    assert url.endswith(f"/{FILES[name]}")
    assert prefix == FILES[name][-12:-4]


@pytest.mark.parametrize("file", ["as published", "weights.pth"])
@pytest.mark.parametrize("name", FILES)
def test_other_weights_than_the_published_ones_are_refused_by_whatever_name(
    name: str, file: str, tmp_path: Path
) -> None:
    """A cell's key has the extractor's name and no digest of its weights."""
    path = tmp_path / file.replace("as published", FILES[name])
    path.write_bytes(b"something else")
    with pytest.raises(UsageError) as caught:
        find_extractor(name, path)
    assert str(caught.value) == (
        f"{path} is damaged or not the weights of {name}: its sha256 begins with "
        f"{hashlib.sha256(b'something else').hexdigest()[:8]}, not {FILES[name][-12:-4]}"
    )


def test_published_weights_are_those_that_the_libraries_name() -> None:
    from torchvision.models import Inception_V3_Weights

    from benchmarks.evaluation.fidelity.torch_fidelity_api import INCEPTION_URL

    urls = {INCEPTION: INCEPTION_URL, TORCHVISION: Inception_V3_Weights.IMAGENET1K_V1.url}
    for name, url in urls.items():
        assert Path(url).name == FILES[name]
        assert Path(url).stem.endswith(f"-{extractors.EXTRACTORS[name].sha256}")


@pytest.mark.parametrize("inception", FILES)
def test_weights_of_another_network_and_code_are_refused(
    inception: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    contents = {
        "evil.pth": Evil(),
        "other.pth": {"fc.weight": torch.ones(2)},
        "list.pth": [torch.ones(2)],
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
        published(inception, tmp_path / name, monkeypatch)
        extractor = find_extractor(inception, tmp_path / name)
        message = f"{name} can't be used as weights of {inception}: "
        with pytest.raises(UsageError, match=message) as caught:
            extract(noise(2, 8, 0), extractor, CPU)
        assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_inception_is_fed_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:  # a network as it is born
        patch.setattr(
            "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url",
            lambda *args, **kwargs: {},
        )
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        born = FeatureExtractorInceptionV3(INCEPTION, ["2048"])
    path = tmp_path / "born.pth"
    torch.save(born.state_dict(), path)
    published(INCEPTION, path, monkeypatch)
    extractor = find_extractor(INCEPTION, path)
    assert extractor.display == f"{INCEPTION}@{extractors.EXTRACTORS[INCEPTION].sha256}"
    images = noise(2, 16, 0)
    found = extract(images, extractor, CPU)
    sizes = {name: values.shape[1] for name, values in found.items()}
    assert sizes == {"64": 64, "2048": 2048, "logits_unbiased": 1008}
    assert torch.allclose(found["2048"], born(images)[0], atol=1e-5)


def test_torchvisions_inception_is_torchvisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers are those of the network as torchvision ships it, fed as torchvision feeds it."""
    from torchvision.models import inception_v3
    from torchvision.transforms.functional import normalize

    with seeded(0):
        born = inception_v3(weights=None, aux_logits=True, transform_input=True, init_weights=False)
        for module in born.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    path = tmp_path / "born.pth"
    torch.save(born.state_dict(), path)  # with the second head, as the published file
    published(TORCHVISION, path, monkeypatch)
    images = noise(2, 299, 0)
    extractor = find_extractor(TORCHVISION, path)
    found = extract(images, extractor, CPU)
    sizes = {name: values.shape[1] for name, values in found.items()}
    assert sizes == {"64": 64, "2048": 2048, "logits": 1000}
    shown = normalize(images / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        logits = born.eval()(shown)
    assert logits.std() > 0.1
    assert torch.allclose(found["logits"], logits, rtol=1e-3, atol=1e-3 * float(logits.std()))
    unbiased = found["2048"] @ born.fc.weight.detach().T
    assert torch.allclose(unbiased + born.fc.bias.detach(), logits, rtol=1e-3, atol=1e-3)
    assert extractor.display.startswith(f"{TORCHVISION}@")


@pytest.mark.parametrize("name", [LITE, INCEPTION])
def test_an_image_is_timed_without_weights_at_hand(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(extractors, "CPU_BATCH", 1)
    assert 0 < FeatureStep(name).seconds(MACHINE) < 10

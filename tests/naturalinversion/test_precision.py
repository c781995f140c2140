"""In which number format a device computes when it is asked for one."""

from naturalinversion.precision import effective_precision


def test_tf32_is_a_gpus() -> None:
    assert effective_precision("cpu", "tf32") == "fp32"
    assert effective_precision("cuda:1", "tf32") == "tf32"
    assert effective_precision("cpu", "bf16") == "bf16"

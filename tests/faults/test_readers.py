"""Damaged and hostile files: a reader gives what was written or one clear error, no traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.recipes import resolved
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables import spec
from naturalinversion.classifiers.weights import (
    Classifier,
    load_classifier,
    read_weights,
    save_classifier,
)
from naturalinversion.errors import NaturalInversionError, StoreError
from naturalinversion.image_store.meta import Meta, read_meta, write_meta
from naturalinversion.image_store.shards import read_shard, shard_path, write_shard
from reports import records
from reports.records import Cost, Provenance, Record, RecordError

DEEP = b"[" * 100_000
ODD = [b"", b"\x00", b"{}", b"[]", b"null", b"\xff\xfe", DEEP, b'{"schema":' + DEEP, b"a = " + DEEP]
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def mangled(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with a part cut out, put in, or changed bit by bit; or any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    found = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(found)))
        end = draw(st.integers(start, min(len(found), start + 40)))
        found[start:end] = draw(st.binary(max_size=8))
    if draw(st.booleans()) and found:
        del found[draw(st.integers(0, len(found) - 1)) :]
    return bytes(found)


def every_mangling(
    read: Callable[[], Any], path: Path, errors: tuple[type[Exception], ...], same: Any
) -> None:
    """Read many damaged forms of ``path``: an error of ``errors``, or something of its kind."""
    whole = path.read_bytes()

    @QUICK
    @given(mangled(whole))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        said = ""
        try:
            found = read()
        except errors as error:
            said = str(error)
        assert said or same(found), "garbage was taken for the real thing"
        assert "\n" not in said.strip()

    for content in ODD:
        check = example(content)(check)
    check()
    path.write_bytes(whole)
    assert same(read())


def test_records(tmp_path: Path) -> None:
    record = Record(
        kind="student",
        label="a",
        key="k",
        recipe={"lr": 0.1},
        inputs={"teacher": "t"},
        metrics={"test_accuracy": 0.5},
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=Provenance("abc", {}, "cpu", "fp32", 1, "Linux", "now"),
        artefacts={"weights": "digest"},
    )
    records.write(tmp_path, record)
    path = tmp_path / records.FILE_NAME
    every_mangling(
        lambda: records.read(path), path, (RecordError,), lambda found: isinstance(found, Record)
    )


def test_descriptions_of_stores(tmp_path: Path) -> None:
    write_meta(tmp_path, Meta("ni", "f", 10, (3, 8, 8), (0.5,) * 3, (0.5,) * 3, 0, 4, 1))
    every_mangling(
        lambda: read_meta(tmp_path),
        tmp_path / "meta.json",
        (StoreError,),
        lambda found: isinstance(found, Meta),
    )


def test_shards(tmp_path: Path) -> None:
    """Nothing but the very images that were written is ever given back."""
    images, labels = torch.randn(4, 3, 8, 8).half(), torch.arange(4)
    write_shard(tmp_path, 0, images, labels)
    every_mangling(
        lambda: read_shard(tmp_path, 0),
        shard_path(tmp_path, 0),
        (StoreError,),
        lambda found: torch.equal(found[0], images) and torch.equal(found[1], labels),
    )


def test_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    description = Classifier("vgg11", 10, 0.0625, 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    save_classifier(path, description.build(0), description)
    every_mangling(
        lambda: load_classifier(path), path, (NaturalInversionError,), lambda found: len(found) == 2
    )
    other = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(2)}, other)
    every_mangling(
        lambda: read_weights(other),
        other,
        (NaturalInversionError,),
        lambda found: isinstance(found, dict),
    )


@pytest.mark.parametrize("name", ["ni", "protocol"])
def test_recipes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in resolved.FOLDER.glob("*.toml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(resolved, "FOLDER", tmp_path)

    def read() -> Any:
        resolved._read.cache_clear()
        return Recipes("demo", "digits").resolve("vgg11").method("ni")

    every_mangling(
        read,
        tmp_path / f"{name}.toml",
        (NaturalInversionError,),
        lambda found: found.batches > 0 and found.settings["iterations"] > 0,
    )
    resolved._read.cache_clear()


def test_table_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table3.toml"
    path.write_bytes((spec.FOLDER / "table3.toml").read_bytes())
    monkeypatch.setattr(spec, "FOLDER", tmp_path)
    every_mangling(
        lambda: spec.read_table("table3"),
        path,
        (NaturalInversionError,),
        lambda found: isinstance(found, spec.TableSpec),
    )


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def test_weights_never_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, tmp_path / "weights.pt")
    with pytest.raises(NaturalInversionError, match="can't be read as weights"):
        read_weights(tmp_path / "weights.pt")
    assert not (tmp_path / "exploded").exists()

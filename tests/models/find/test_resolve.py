"""Names of models and where they lead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.errors import InputError, ModelError
from attnviz.models.find import samples as bundled
from attnviz.models.find.cache import cached_models
from attnviz.models.find.resolve import DEFAULT_MODEL, resolve
from attnviz.models.find.samples import sample_models
from attnviz.models.find.source import Source


def saved(path: Path, **config: object) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("name", ["gpt2", "google-bert/bert-base-uncased", "a.b/c_d-e.1"])
def test_hub_ids(name: str) -> None:
    source = resolve(name)
    assert (source.kind, source.path_or_id) == ("hub", name)
    assert source.display == name.split("/")[-1]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "org/",
        "/".join("abc"),
        "-gpt2",
        "gpt2.",
        "a--b",
        "a..b",
        "x.git",
        "é",
        "a/b/../c.gguf",
    ],
)
def test_malformed_ids(name: str) -> None:
    with pytest.raises(ModelError, match="neither a folder"):
        resolve(name)


@pytest.mark.parametrize("name", ["./nope", "/nope/nope", "~/nope", "../nope"])
def test_paths_fail_as_paths(name: str) -> None:
    with pytest.raises(ModelError, match="does not exist") as error:
        resolve(name)
    assert name in error.value.message


@settings(max_examples=300, deadline=None)
@given(name=st.text(max_size=20) | st.sampled_from(["a" * 5000, "./" + "a" * 5000, "~nobody-x/y"]))
def test_any_name_is_a_source_or_a_model_error(name: str) -> None:
    try:
        source = resolve(name)
    except ModelError as error:
        assert error.hint
    else:
        known = {f"sample:{one.name}" for one in sample_models()}
        assert source.kind in ("hub", "local") or (source.kind == "sample" and name in known)


def test_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "bert-small")
    assert resolve(str(tmp_path / "bert-small")).display == "bert-small"
    monkeypatch.chdir(tmp_path)
    source = resolve("bert-small")
    assert source.kind == "local"
    assert resolve("./bert-small").display == "bert-small"


@pytest.mark.parametrize("last", ["model", "checkpoint-500", "final"])
def test_plain_folder_names_show_their_parent(tmp_path: Path, last: str) -> None:
    assert Source("local", "x", str(tmp_path / "run7" / last)).display == f"run7/{last}"


def test_folder_without_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gpt2").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="without config") as error:
        resolve("gpt2")
    assert "gpt2 on the Hub" in error.value.hint
    (tmp_path / "gpt2" / "adapter_config.json").write_text("{}")
    assert resolve("gpt2").path_or_id == "gpt2"


def test_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"ONNX")
    with pytest.raises(ModelError, match="is a file"):
        resolve(str(tmp_path / "model.onnx"))


def test_gguf_files(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    for name in (str(tmp_path), str(tmp_path / "a.gguf")):
        found = resolve(name)
        assert (found.path_or_id, found.file, found.display) == (str(tmp_path), "a.gguf", "a.gguf")
    found = resolve("org/repo/sub/a.gguf")
    assert (found.kind, found.path_or_id, found.file) == ("hub", "org/repo", "sub/a.gguf")
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"2 GGUF files: a\.gguf, b\.gguf") as error:
        resolve(str(tmp_path))
    assert error.value.hint == f"-m {tmp_path / 'a.gguf'}"


def test_a_folder_of_checkpoints_names_them(tmp_path: Path) -> None:
    for name in ("checkpoint-1000", "runs"):
        (tmp_path / name).mkdir()
    saved(tmp_path / "checkpoint-500")
    (tmp_path / "checkpoint-1000" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="without config") as error:
        resolve(str(tmp_path))
    folders = (tmp_path / "checkpoint-1000", tmp_path / "checkpoint-500")
    assert error.value.hint == f"it holds 2 models: -m {folders[0]}, -m {folders[1]}"


def test_a_folder_of_sentence_transformers_names_its_model(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    for name in ("0_Transformer", "1_Pooling"):
        saved(tmp_path / name)
    with pytest.raises(ModelError, match="without config") as error:
        resolve(str(tmp_path))
    assert error.value.hint == f"it holds a model: -m {tmp_path / '0_Transformer'}"


def test_default_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve().name == DEFAULT_MODEL
    monkeypatch.setenv("ATTNVIZ_MODEL", "org/mine")
    assert resolve().path_or_id == "org/mine"
    assert resolve("org/other").path_or_id == "org/other"
    monkeypatch.setenv("ATTNVIZ_MODEL", "")
    assert resolve().name == DEFAULT_MODEL


def test_unknown_sample_names_the_known() -> None:
    with pytest.raises(ModelError, match="not a bundled sample") as error:
        resolve("sample:nope")
    assert DEFAULT_MODEL in error.value.hint


def test_samples_beside_the_package_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, checkout = tmp_path / "inside", tmp_path / "checkout"
    for folder, text in ((inside, "from the wheel"), (checkout, "from the checkout")):
        saved(folder / "toy")
        (folder / "toy" / "README.md").write_text(f"---\ndescription: {text}\n---\nMore.\n")
    saved(checkout / "zoo")
    (checkout / "zoo" / "README.md").write_text(
        "---\ndescription: animals\nexample: 'a cat .'\ntags:\n- x\n---\n# zoo\n"
    )
    saved(checkout / "bare")
    monkeypatch.setattr(bundled, "sample_folders", lambda: [inside, checkout])
    found = {sample.name: sample for sample in bundled.sample_models()}
    assert list(found) == ["bare", "toy", "zoo"]
    assert found["toy"].description == "from the wheel"
    assert found["zoo"].description == "animals"
    assert found["zoo"].command == 'attnviz inspect "a cat ." -m sample:zoo'
    assert found["bare"].description == ""
    assert resolve("sample:toy").path_or_id == str(inside / "toy")
    assert resolve("sample:toy").display == "toy"


def test_default_sample_is_described() -> None:
    default = next(s for s in bundled.sample_models() if f"sample:{s.name}" == DEFAULT_MODEL)
    assert default.description
    assert DEFAULT_MODEL in default.command


def test_inputs_have_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, checkout = tmp_path / "inside", tmp_path / "checkout"
    for folder in (inside, checkout):
        (folder / "text").mkdir(parents=True)
        (folder / "text" / "one.txt").write_text("one\n")
        (folder / "text" / "README.md").write_text(
            "# Texts\n\n| file | what | try |\n|---|---|---|\n"
            "| [one.txt](one.txt) | a word | `attnviz inspect --file sample:text/one` |\n"
        )
    saved(checkout / "toy")
    (checkout / "toy" / "README.md").write_text("| [x.txt](x.txt) | no input | |\n")
    monkeypatch.setattr(bundled, "sample_folders", lambda: [inside, checkout])
    (one,) = bundled.sample_inputs()
    assert (one.name, one.description) == ("text/one", "a word")
    assert one.command == "attnviz inspect --file sample:text/one"
    assert bundled.input_file("sample:text/one") == inside / "text" / "one.txt"
    assert bundled.input_file("text/one.txt") == Path("text/one.txt")
    with pytest.raises(InputError, match="not a bundled text") as error:
        bundled.input_file("sample:text/two")
    assert "sample:text/one" in error.value.hint


def test_every_bundled_input_is_there_and_described() -> None:
    inputs = bundled.sample_inputs()
    assert {"text/long", "text/repeated", "text/chat", "qkv/luong"} <= {one.name for one in inputs}
    folders = [folder for folder in bundled.sample_folders() if folder.is_dir()]
    files = {file.resolve() for folder in folders for kind in ("text", "qkv")
             for file in folder.glob(f"{kind}/*") if file.name != "README.md"}  # fmt: skip
    assert {one.path.resolve() for one in inputs} == files
    assert all(one.description for one in inputs)


def test_cached_models(tmp_path: Path) -> None:
    hub = tmp_path / "hf" / "hub"
    one = saved(hub / "models--org--one" / "snapshots" / "abcdef0123", architectures=["OneModel"])
    (one / "model.safetensors").write_bytes(b"12345")
    saved(hub / "models--two" / "snapshots" / "1234567890")
    broken = saved(hub / "models--broken" / "snapshots" / "1")
    (broken / "config.json").write_text("{")
    (hub / "models--empty").mkdir()
    tuned = hub / "models--org--tuned" / "snapshots" / "0987654321"
    tuned.mkdir(parents=True)
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "two"}
    (tuned / "adapter_config.json").write_text(json.dumps(adapter))
    (hub / "datasets--org--data" / "snapshots" / "1").mkdir(parents=True)
    found = cached_models()
    assert [(m.name, m.architecture, m.revision) for m in found] == [
        ("org/one", "OneModel", "abcdef0"),
        ("org/tuned", "LORA of two", "0987654"),
        ("two", "", "1234567"),
    ]
    assert found[0].size > 5


def test_cache_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "elsewhere" / "models--x" / "snapshots" / "1")
    assert cached_models() == []
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert [model.name for model in cached_models()] == ["x"]


def test_names_are_resolved_without_heavy_imports() -> None:
    code = (
        "import sys\n"
        "from attnviz.models.find.resolve import resolve\n"
        "from attnviz.models.find.samples import sample_inputs, sample_models\n"
        "from attnviz.models.find.cache import cached_models\n"
        "import attnviz.inputs.read\n"
        "resolve(); sample_models(); sample_inputs(); cached_models()\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).resolve().parents[3]
    env = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)

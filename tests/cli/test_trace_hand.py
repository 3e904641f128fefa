"""`attnviz trace --qkv`: the numbers of docs/mechanisms.md through the command line."""

from __future__ import annotations

import io
import json
import os
import shlex
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attnviz.models.find.samples import sample_inputs

# command line: weights and output of every head
THIRD = 0.3333
WORKED = {
    "luong --mechanism dot": ([[[0.4223, 0.1554, 0.4223]]], [[[0.8446, 0.5777]]]),
    "luong --mechanism scaled-dot": ([[[0.4011, 0.1978, 0.4011]]], [[[0.8022, 0.5989]]]),
    "luong --mechanism general": ([[[0.2119, 0.2119, 0.5761]]], [[[0.7881, 0.7881]]]),
    "bahdanau --mechanism additive": ([[[0.2045, 0.3576, 0.4379]]], [[[0.6424, 0.7955]]]),
    "concat --mechanism concat": ([[[0.2045, 0.3576, 0.4379]]], [[[0.6424, 0.7955]]]),
    "luong --heads 2": (
        [[[0.4223, 0.1554, 0.4223]], [[THIRD, THIRD, THIRD]]], [[[0.8446]], [[0.6667]]],
    ),
    "luong --mechanism dot --hard": ([[[1, 0, 0]]], [[[1, 0]]]),
    "luong --mechanism dot --local 1": ([[[0.2561, 0.1554, 0.2561]]], [[[0.5123, 0.4115]]]),
    "self": (
        [[[0.4011, 0.1978, 0.4011], [0.1978, 0.4011, 0.4011], [0.2483, 0.2483, 0.5035]]],
        [[[0.8022, 0.5989], [0.5989, 0.8022], [0.7517, 0.7517]]],
    ),
    "self --causal": (
        [[[1, 0, 0], [0.3302, 0.6698, 0], [0.2483, 0.2483, 0.5035]]],
        [[[1, 0], [0.3302, 0.6698], [0.7517, 0.7517]]],
    ),
    "cross": (
        [[[0.4011, 0.1978, 0.4011], [0.1084, 0.4458, 0.4458]]],
        [[[0.8022, 0.5989], [0.5542, 0.8916]]],
    ),
    "vector --mechanism dot": ([[[1]]], [[[7, 8, 9]]]),
}  # fmt: skip


@pytest.mark.parametrize("command", WORKED)
def test_the_worked_table(answer: Callable[..., str], command: str) -> None:
    name, *options = command.split()
    found = json.loads(answer("trace", "--qkv", f"sample:qkv/{name}", *options, "--json"))
    weights, output = WORKED[command]
    assert np.round(found["weights"], 4).tolist() == weights
    assert np.round(found["output"], 4).tolist() == output


def test_textbook_numbers(answer: Callable[..., str]) -> None:
    tokens = json.loads(answer("trace", "--qkv", "sample:qkv/tokens", "--json"))
    assert tokens["scores"] == [[[4, 5, 6], [8, 10, 12], [12, 15, 18]]]
    assert "4, 10, 18" in tokens["notes"][0]
    vector = json.loads(answer("trace", "--qkv", "sample:qkv/vector", "--json"))
    assert vector["scores"] == [[[32]]]


def test_bundled_commands_work(answer: Callable[..., str]) -> None:
    commands = [one.command for one in sample_inputs() if one.path.parent.name == "qkv"]
    assert len(commands) == 8
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "attnviz"
        assert "weights" in answer(*arguments)


def test_json(answer: Callable[..., str]) -> None:
    found = json.loads(answer("trace", "--qkv", "sample:qkv/self", "--causal", "--json"))
    assert found["shapes"] == {
        "query": [3, 2], "key": [3, 2], "value": [3, 2], "scores": [1, 3, 3], "scaled": [1, 3, 3],
        "masked": [1, 3, 3], "weights": [1, 3, 3], "output": [1, 3, 2],
    }  # fmt: skip
    assert (found["mechanism"], found["paper"]) == ("scaled-dot", "Vaswani et al. 2017")
    assert found["masked"][0][0] == [0.7071068, None, None]
    assert found["formulas"]["scaled"] == "scores × 1/√2 = × 0.7071"


def test_the_tables(answer: Callable[..., str]) -> None:
    out = answer("trace", "--qkv", "sample:qkv/self", "--causal", "--width", 80)
    assert [line.rstrip() for line in out.splitlines()] == [
        "scaled-dot attention (Vaswani et al. 2017)   weights = softmax(q·k / √d)",
        "  query  3 × 2  [1 0]  [0 1]  [1 1]",
        "  key    3 × 2  [1 0]  [0 1]  [1 1]",
        "  value  3 × 2  [1 0]  [0 1]  [1 1]",
        "",
        "scores   q·k   3 × 3",
        "          k0      k1      k2",
        "  q0       1       0       1",
        "  q1       0       1       1",
        "  q2       1       1       2",
        "",
        "scaled   scores × 1/√2 = × 0.7071   3 × 3",
        "          k0      k1      k2",
        "  q0  0.7071  0.0000  0.7071",
        "  q1  0.0000  0.7071  0.7071",
        "  q2  0.7071  0.7071  1.4142",
        "",
        "masked   -∞ where the key comes after the query   3 × 3",
        "          k0      k1      k2",
        "  q0  0.7071      -∞      -∞",
        "  q1  0.0000  0.7071      -∞",
        "  q2  0.7071  0.7071  1.4142",
        "",
        "weights   softmax: exp(e) / Σ exp(e) over the keys   3 × 3",
        "          k0               k1               k2",
        "  q0  1.0000 ████████       0                0",
        "  q1  0.3302 ██▋       0.6698 █████▍         0",
        "  q2  0.2483 ██        0.2483 ██        0.5035 ████",
        "",
        "output   Σ weight × value   3 × 2",
        "           0       1",
        "  q0  1.0000  0.0000",
        "  q1  0.3302  0.6698",
        "  q2  0.7517  0.7517",
    ]


def test_one_query_and_key(answer: Callable[..., str]) -> None:
    arguments = ("trace", "--qkv", "sample:qkv/vector", "--mechanism", "dot", "--query", 0)
    found = json.loads(answer(*arguments, "--key", -1, "--json"))
    [products] = found["products"]
    assert (products["query"], products["key"], products["score"]) == (0, 0, 32)
    assert [one["product"] for one in products["terms"]] == [18, 10, 4]
    assert "score of q0 and k0   q·k = 32, the sum of 3 products" in answer(*arguments, "--key", 0)


def test_large_numbers_are_cut_and_say_so(answer: Callable[..., str], tmp_path: Path) -> None:
    states = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(tmp_path / "many.npz", query=states, key=states, value=states)
    arguments = ("trace", "--qkv", tmp_path / "many.npz", "--width", 80)
    out = answer(*arguments)
    assert max(map(len, out.splitlines())) <= 80
    assert "… 22 more queries, 22 more keys: --query N, or all with --json" in out
    assert "q29" in answer(*arguments, "--query", -1)
    assert np.shape(json.loads(answer(*arguments, "--json"))["weights"]) == (1, 30, 30)


def test_csv_vectors_and_rows(answer: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "given.csv"
    file.write_text("query,1,0\nkey,1,0\nkey,0,1\nkey,1,1\nvalue,1,0\nvalue,0,1\nvalue,1,1\n"
                    "W,1,0\nW,0,1\nU,1,0\nU,0,1\nv,1,1\n")  # fmt: skip
    arguments = ("trace", "--qkv", file, "--mechanism", "additive")
    assert np.round(json.loads(answer(*arguments, "--json"))["weights"], 4).tolist() == [
        [[0.2045, 0.3576, 0.4379]]
    ]
    rows = answer(*arguments, "--format", "csv").splitlines()
    assert rows[0] == "step,head,query,column,value"
    assert "weights,0,0,1,0.3576452" in rows
    assert len(rows) == 1 + 4 * 3 + 2


def test_all_masked_is_reported(answer: Callable[..., str]) -> None:
    out = answer("trace", "--qkv", "sample:qkv/luong", "--local", 50)
    assert "query 0: every key is masked, so that its weights and output are 0" in out


BAD = {
    '{"query": [[1, 2]], "key": [[1, 2]]}': "has no value",
    '{"query": [[1, 2], [3]], "key": [[1]], "value": [[1]]}': "the rows of query are not equally",
    '{"query": [["a"]], "key": [[1]], "value": [[1]]}': "query holds something that is no number",
    '{"query": [[NaN]], "key": [[1]], "value": [[1]]}': "query holds a number that is not finite",
    '{"query": 1, "key": [[1]], "value": [[1]]}': "query is a single number",
    '{"query": [], "key": [[1]], "value": [[1]]}': "query is 0",
    '{"query": [[[1]]], "key": [[1]], "value": [[1]]}': "query is 1 × 1 × 1",
    '{"query": [[1]], "key": [[1]], "value": [[1]], "Q": 1}': "there is no field Q",
    '{"query": [[1, 2]], "key": [[1]], "value": [[1]]}': "query is 1 × 2 and key is 1 × 1",
    '{"query": [[1]], "key": [[1]], "value": [[1], [2]]}': "key is 1 × 1 and value is 2 × 1",
    '{"query": [["1"]], "key": [[1]], "value": [[1]]}': "query holds something that is no number",
    '{"query": [[true]], "key": [[1]], "value": [[1]]}': "query holds something that is no number",
    '{"query": [1, [2]], "key": [[1]], "value": [[1]]}': "the rows of query are not equally",
    '{"query": [[1, [2]]], "key": [[1]], "value": [[1]]}': "query holds something that is no num",
    '{"query": "1", "key": [[1]], "value": [[1]]}': "query holds something that is no number",
    '{"query": {"a": 1}, "key": [[1]], "value": [[1]]}': "query holds something that is no number",
    '{"query": [1e999], "key": [[1]], "value": [[1]]}': "query holds a number that is not finite",
    f'{{"query": [1{"0" * 400}], "key": [[1]], "value": [[1]]}}': "a number that is not finite",
    f'{{"query": [1{"0" * 5000}], "key": [[1]], "value": [[1]]}}': "a number that is not finite",
    '{"query": [1e200], "key": [[1e200]], "value": [[1]]}': "are beyond float64",
    '{"query": [1], "key": [[1]], "value": [[1]], "note": [1]}': "note is no text",
    f'{{"query": {"[" * 100}1{"]" * 100}, "key": [[1]], "value": [[1]]}}': "query is 1 × 1 × 1",
    "[" * 100_000: "is nested too deeply",
    '{"query": ' + "[" * 5000 + "]" * 5000 + "}": "is nested too deeply",
    "[1]": "is not a JSON object",
    "{": "is not JSON",
}


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_bad_numbers(refused: Callable[..., str], tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    assert BAD[content] in refused(1, "trace", "--qkv", file)


BAD_ROWS = {
    "query,1,x\nkey,1,1\nvalue,1,1\n": "query holds something that is no number",
    "query,1,\nkey,1,1\nvalue,1,1\n": "query holds something that is no number",
    "query,1,2\nquery,1\nkey,1,1\nvalue,1,1\n": "the rows of query are not equally",
    "query,1,nan\nkey,1,1\nvalue,1,1\n": "query holds a number that is not finite",
    f"query,1,1{'0' * 5000}\nkey,1,1\nvalue,1,1\n": "query holds a number that is not finite",
    f"query,1,{'x' * 200_000}\nkey,1,1\nvalue,1,1\n": "has a field of over 131072 characters",
    f"query,1,{'x' * 100_000}\nkey,1,1\nvalue,1,1\n": "query holds something that is no number",
    "que\0ry,1\nkey,1\nvalue,1\n": "there is no field que",
    'query,"1\nkey,1\n': "is not CSV",
}


@pytest.mark.parametrize("content", BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_bad_rows(refused: Callable[..., str], tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    assert BAD_ROWS[content] in refused(1, "trace", "--qkv", file)


def test_the_note_of_csv_is_a_text(answer: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "given.csv"
    file.write_text("note,made by hand, twice\nquery,1\nkey,1\nvalue,1\n")
    found = json.loads(answer("trace", "--qkv", file, "--json"))
    assert "made by hand, twice" in found["notes"]


def test_too_many_pairs(refused: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "many.npz"
    np.savez(file, query=np.ones((5000, 1)), key=np.ones((5000, 1)), value=np.ones((5000, 1)))
    assert "5000 queries and 5000 keys make too many pairs" in refused(1, "trace", "--qkv", file)
    few = np.ones((100, 1000))
    np.savez(file, query=few, key=few, value=few, W=few, U=few, v=few[:, 0])
    said = refused(1, "trace", "--qkv", file, "--mechanism", "additive")
    assert "too many pairs" in said
    assert "too many heads" not in refused(1, "trace", "--qkv", file, "--heads", 10**30)


def archive(path: Path, **members: bytes) -> Path:
    """An .npz file of these bytes, beside a good key and value."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def header(shape: tuple[int, ...], descr: object = "<f8") -> bytes:
    """What an .npy file of this shape starts with."""
    out = io.BytesIO()
    described = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, described)
    return out.getvalue()


def npy(value: object) -> bytes:
    """The bytes of an .npy file."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(value), allow_pickle=True)
    return out.getvalue()


BAD_ARRAYS: dict[str, tuple[bytes, str]] = {
    "objects": (npy(np.array([[None, {}]], object)), "no number (objects)"),
    "texts": (npy([["1", "2"]]), "no number (<U1)"),
    "bytes": (npy([[b"1"]]), "no number (|S1)"),
    "complex": (npy([[1j]]), "no number (complex128)"),
    "booleans": (npy([[True]]), "no number (bool)"),
    "times": (npy(np.zeros((1, 1), "m8[s]")), "no number"),
    "records": (npy(np.zeros((1, 1), "i4,f4")), "no number"),
    "none": (npy(np.zeros((0, 2))), "query is 0 × 2"),
    "one": (npy(1.0), "query is a single number"),
    "three axes": (npy(np.zeros((1, 2, 3))), "query is 1 × 2 × 3"),
    "not finite": (npy([[np.inf]]), "not finite"),
    "beyond float64": (npy(np.array([[1]], np.longdouble) * np.longdouble("1e4000")), "not finite"),
    "cut": (npy(np.ones((4, 4)))[:-1], "is not a NumPy archive"),
    "huge": (header((10**12, 10**12)) + bytes(64), "is not a NumPy archive"),
    "huge and nothing": (header((2**62, 0)), "query is"),
    "negative": (header((-1, 2)), "query is -1 × 2"),
    "no header": (b"\x93NUMPY", "is not a NumPy archive"),
    "no array": (b"[[1, 2]]", "is not a NumPy archive"),
    "a nested header": (b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8192, "is not a NumPy archive"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(refused: Callable[..., str], tmp_path: Path, name: str) -> None:
    data, said = BAD_ARRAYS[name]
    path = archive(tmp_path / "bad.npz", query=data, key=npy([[1.0]]), value=npy([[1.0]]))
    assert said in refused(1, "trace", "--qkv", path)


def test_bad_archives(refused: Callable[..., str], tmp_path: Path) -> None:
    good = npy([[1.0]])
    path = archive(tmp_path / "bad.npz", query=good, key=good, value=good, dreams=b"x" * 99)
    assert "there is no field dreams" in refused(1, "trace", "--qkv", path)
    for way in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", way) as file:
            file.writestr("query.npy", good)
        assert "compressed in a way" in refused(1, "trace", "--qkv", path)
    for data in (b"", b"PK\x05\x06", npy([[1.0]])):
        path.write_bytes(data)
        assert "is not a NumPy archive" in refused(1, "trace", "--qkv", path)


def test_the_note_of_an_archive(
    answer: Callable[..., str], refused: Callable[..., str], tmp_path: Path
) -> None:
    one, path = np.ones((1, 1), np.int8), tmp_path / "given.npz"
    np.savez(path, query=one, key=one, value=one, note="made by hand")
    found = json.loads(answer("trace", "--qkv", path, "--json"))
    assert "made by hand" in found["notes"]
    np.savez(path, query=one, key=one, value=one, note=one)
    assert "note holds something that is no text" in refused(1, "trace", "--qkv", path)


@pytest.mark.parametrize("lying", [False, True])
def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path, lying: bool) -> None:
    """3 × 80 MB that are 240 KB in the file; lying, its headers and directory declare no more."""
    path, values = tmp_path / "bomb.npz", 10_000_000
    start = header((values if not lying else 8, 1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("query", "key", "value"):
            file.writestr(f"{name}.npy", start + bytes(8 * values))
    data = path.read_bytes()
    assert len(data) < 400_000
    if lying:
        true = struct.pack("<I", len(start) + 8 * values)
        path.write_bytes(data.replace(true, struct.pack("<I", len(start) + 64)))
    script = (
        "import resource, sys\nfrom attnviz.errors import InputError\n"
        "from attnviz.inputs.qkv import read_qkv\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_qkv(sys.argv[1])\nexcept InputError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    said, grown = done.stdout.splitlines()
    assert ("is not a NumPy archive" if lying else "holds over 32 MiB of numbers") in said
    assert int(grown) < 16 << 10  # KiB


def test_a_file_too_large_is_not_read_whole(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.touch()
    os.truncate(path, 2**40)
    assert "is larger than 32 MiB" in refused(1, "trace", "--qkv", path)


def test_missing_parameters(refused: Callable[..., str]) -> None:
    said = refused(1, "trace", "--qkv", "sample:qkv/self", "--mechanism", "additive")
    assert "the additive score needs W, U, v" in said
    said = refused(1, "trace", "--qkv", "sample:qkv/concat", "--mechanism", "general")
    assert "W is 2 × 4" in said
    assert "3 heads cannot share 2 dimensions" in refused(
        1, "trace", "--qkv", "sample:qkv/self", "--heads", 3
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--qkv", "sample:qkv/none"], 1, "is not a bundled qkv"),
        (["--qkv", "none.json"], 1, "does not exist"),
        (["--qkv", "none.txt"], 1, "is of no known kind of numbers"),
        (["--qkv", "sample:qkv/self", "--query", "it"], 1, "hand-made numbers have no words"),
        (["--qkv", "sample:qkv/self", "--key", "3"], 1, "--key 3 does not exist: there are 3"),
        (["--qkv", "sample:qkv/self", "--soft", "--hard"], 2, "--soft and --hard exclude"),
        (["--qkv", "sample:qkv/self", "-m", "gpt2"], 2, "--qkv and -m exclude each other"),
        (["a text", "--qkv", "sample:qkv/self"], 2, "--qkv and TEXT exclude each other"),
        (["--qkv", "sample:qkv/self", "--local", "nan"], 2, "--local nan is no place"),
        (["a text", "--causal"], 2, "--causal needs --qkv"),
        (["--qkv", "sample:qkv/self", "-o", "x.npz"], 2, "is no format that attnviz writes here"),
        (["--qkv", "sample:qkv/self", "-o", "x.png", "--json"], 2, "contradict each other"),
    ],
)
def test_wrong_use(refused: Callable[..., str], arguments: list[str], code: int, said: str) -> None:
    assert said in refused(code, "trace", *arguments)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "txt", "json", "tsv"])
def test_files(answer: Callable[..., str], tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"trace.{kind}"
    assert answer("trace", "--qkv", "sample:qkv/words", "-o", path) == ""
    assert path.stat().st_size > 100

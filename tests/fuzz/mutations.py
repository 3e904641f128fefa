"""Seeded damage to the files of a saved model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from pathlib import Path

FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
    "adapter_config.json",
)
OTHERS: tuple[Any, ...] = (
    *(None, True, "", "nonsense", "\x1b[31mred\x07", "../../x", "é\u202e", "9" * 400),
    *(0, -1, -(10**9), 10**9, 2**63, 10**30, 1.5, float("nan"), 1e308),
    *([], {}, [1], ["a", 2], {"a": 1}, [[]], {"quant_method": "gptq"}),
)


def damaged(folder: Path, draw: random.Random) -> str:
    """What was done to one file of the folder: a value of it replaced, or the file itself cut."""
    file = folder / draw.choice([name for name in FILES if (folder / name).is_file()])
    data = file.read_bytes()
    file.unlink()  # it may be shared with other folders
    if draw.random() < 0.15:
        return f"{file.name}: {spoiled(file, data, draw)}"
    whole = json.loads(data)
    holder, key = place(whole, draw)
    value = changed(holder[key], draw)
    if value is ...:
        del holder[key]
    else:
        holder[key] = value
    file.write_text(json.dumps(whole), encoding="utf-8")
    return f"{file.name}: {key} = {value!r}"[:200]


def spoiled(file: Path, data: bytes, draw: random.Random) -> str:
    """What a file became: cut short, empty, noise, of another form, or nothing."""
    cut = draw.randrange(len(data))
    forms = {
        "gone": None,
        "empty": b"",
        "cut": data[:cut],
        "noise": draw.randbytes(64),
        "list": b"[]",
        "number": b"7",
        "null": b"null",
        "deep": b"[" * 5000,
        "byte": data[:cut] + b"\xff" + data[cut + 1 :],
    }
    name = draw.choice(sorted(forms))
    content = forms[name]
    if content is not None:
        file.write_bytes(content)
    return name


def place(whole: Any, draw: random.Random) -> tuple[Any, Any]:
    """A dict or list somewhere in the whole, and a key of it."""
    holder: Any = whole
    while True:
        key = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or draw.random() < 0.3:
            return holder, key
        holder = inner


def changed(value: Any, draw: random.Random) -> Any:
    """Something else than the value; `...` for nothing at all."""
    if draw.random() < 0.15:
        return ...
    own: list[Any] = [[value], {"a": value}, str(value), [value, value]]
    if isinstance(value, int):
        own += [value + 1, -value, value * 2, value // 2, float(value), value * 1000]
    if isinstance(value, str):
        own += [value.upper(), value[:-1], value * 2, value + "\n", f"{value}\0"]
    if isinstance(value, list) and value:
        own += [value[:-1], value[::-1], value * 3]
    return draw.choice([*OTHERS, *own])

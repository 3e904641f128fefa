"""What the command line costs before a model is involved, and around a small one.

python benchmarks/start_up.py [MODEL FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from side_by_side import commands, machine, table

RUN = "from attnviz.__main__ import main; main()"
TEXT = "The old sailor met the young widow, and then the old sailor"
BARE = """
import sys, torch
from transformers import AutoModel{head}, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModel{head}.from_pretrained(sys.argv[1], attn_implementation="eager").eval()
with torch.no_grad():
    out = model(**tokenizer(sys.argv[2], return_tensors="pt"), output_attentions=True)
print(len(out.attentions), out.attentions[0].sum())
"""


def main() -> None:
    """Print both tables."""
    python = sys.executable
    help_page = {
        "import typer, rich.console": [python, "-c", "import typer, rich.console"],
        "attnviz --help": [python, "-c", RUN, "--help"],
        "attnviz inspect --help": [python, "-c", RUN, "inspect", "--help"],
    }
    print(machine(), "\n")
    print(table("Help", commands(help_page, 9), "import typer, rich.console"), "\n")
    sample = Path(__file__).parent.parent / "samples" / "english"
    jobs = [("sample:english", "ForCausalLM", str(sample))]
    jobs += [(Path(folder).parent.name, "", folder) for folder in sys.argv[1:]]
    for name, head, folder in jobs:
        rivals = {
            "bare script": [python, "-c", BARE.format(head=head), folder, TEXT],
            "attnviz inspect": [python, "-c", RUN, "inspect", TEXT, "-m", folder],
        }
        print(table(f"First look at {name}", commands(rivals, 7), "bare script"), "\n")


if __name__ == "__main__":
    main()

"""English sentences from WordNet's definitions and example sentences, as Debian packages them.

    apt-get install wordnet-base      # its licence allows use and redistribution without a fee

Debian installs the files `data.noun`, `data.verb`, `data.adj` and `data.adv` in the folder below;
their format is described in its manual page wndb(5).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path("/usr/share/wordnet")
PARTS = ("noun", "verb", "adj", "adv")
LICENCE = """# Licence of the data behind this model

The model was trained on the definitions and example sentences of WordNet 3.0.

WordNet Release 3.0

This software and database is being provided to you, the LICENSEE, by Princeton University under
the following license. By obtaining, using and/or copying this software and database, you agree
that you have read, understood, and will comply with these terms and conditions.:

Permission to use, copy, modify and distribute this software and database and its documentation for
any purpose and without fee or royalty is hereby granted, provided that you agree to comply with
the following copyright notice and statements, including the disclaimer, and that the same appear
on ALL copies of the software, database and documentation, including modifications that you make
for internal use or for distribution.

WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.

THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR
WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY MAKES NO
REPRESENTATIONS OR WARRANTIES OF MERCHANT- ABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE
USE OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY PATENTS,
COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.

The name of Princeton University or Princeton may not be used in advertising or publicity pertaining
to distribution of the software and/or database. Title to copyright in this software, database and
any associated documentation shall at all times remain with Princeton University and LICENSEE agrees
to preserve same.
"""


def documents(folder: Path, *, held_out: bool) -> Iterator[list[str]]:
    """The sentences of each entry: a definition, then its examples. One entry in 50 is held out."""
    for part in PARTS:
        with (folder / f"data.{part}").open(encoding="latin-1") as lines:
            for line in lines:
                if line.startswith("  "):  # the licence comes first
                    continue
                fields, _, gloss = line.partition(" | ")
                if (crc32(gloss.encode()) % 50 == 0) == held_out:
                    word = fields.split()[4].partition("(")[0].replace("_", " ")
                    yield sentences(word, gloss)


def examples(folder: Path) -> Iterator[str]:
    """The example sentences alone: everyday words, where definitions have many rare ones."""
    for entry in documents(folder, held_out=False):
        yield from entry[1:]


def sentences(word: str, gloss: str) -> list[str]:
    """A gloss as sentences: `word: definition.`, then each quoted example.

    >>> sentences("sailor", 'a member of a crew; "he is no sailor"; "Ahoy!"- D.Jones')
    ['sailor: a member of a crew.', 'He is no sailor.', 'Ahoy!']
    """
    definition = gloss.partition('"')[0].strip(" ;:,\n")
    found = [f"{word}: {definition}"] if definition else []
    for example in re.findall(r'"([^"]+)"', gloss):
        text = " ".join(example.split()).rstrip(" ;,")
        if text:
            found.append(text[0].upper() + text[1:])
    return [text if text.endswith((".", "!", "?")) else f"{text}." for text in found]

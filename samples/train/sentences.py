"""English sentences, their French translations, and which word translates which.

A synthetic grammar: articles and adjectives agree in gender, most adjectives follow their noun,
adverbs follow the verb, and `does not V` becomes `ne V pas`. Every word has exactly one link, and
all links are sure: `does` translates as `ne`, `not` as `pas`.

French says `pas de` for `not a`, elides before vowels, and has words of its own for `not still` and
`not rarely`. The grammar stays clear of these, so that words translate one by one.

    python samples/train/sentences.py > samples/text/translations.jsonl
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

Forms = tuple[str, str]  # masculine, feminine

DETERMINERS: dict[str, Forms] = {
    "the": ("le", "la"), "a": ("un", "une"), "this": ("ce", "cette"), "my": ("mon", "ma"),
    "your": ("ton", "ta"), "every": ("chaque", "chaque"),
}  # fmt: skip
BEFORE: dict[str, Forms] = {
    "small": ("petit", "petite"), "big": ("grand", "grande"), "young": ("jeune", "jeune"),
    "old": ("vieux", "vieille"), "pretty": ("joli", "jolie"), "good": ("bon", "bonne"),
    "new": ("nouveau", "nouvelle"), "beautiful": ("beau", "belle"),
}  # fmt: skip
COLOURS: dict[str, Forms] = {
    "red": ("rouge", "rouge"), "black": ("noir", "noire"), "white": ("blanc", "blanche"),
    "green": ("vert", "verte"), "blue": ("bleu", "bleue"), "grey": ("gris", "grise"),
    "quiet": ("calme", "calme"), "dirty": ("sale", "sale"),
}  # fmt: skip
MOODS: dict[str, Forms] = {
    "sad": ("triste", "triste"), "happy": ("content", "contente"),
    "tired": ("fatigué", "fatiguée"), "strong": ("fort", "forte"), "rich": ("riche", "riche"),
    "polite": ("poli", "polie"), "clever": ("malin", "maligne"), "calm": ("calme", "calme"),
}  # fmt: skip
BEINGS = {
    "dog": ("chien", 0), "cat": ("chat", 0), "boy": ("garçon", 0), "king": ("roi", 0),
    "baker": ("boulanger", 0), "doctor": ("médecin", 0), "farmer": ("fermier", 0),
    "soldier": ("soldat", 0), "neighbour": ("voisin", 0), "horse": ("cheval", 0),
    "girl": ("fille", 1), "woman": ("femme", 1), "queen": ("reine", 1), "mouse": ("souris", 1),
    "cow": ("vache", 1), "duchess": ("duchesse", 1), "witch": ("sorcière", 1),
    "singer": ("chanteuse", 1),
}  # fmt: skip
THINGS = {
    "book": ("livre", 0), "boat": ("bateau", 0), "cake": ("gâteau", 0), "hat": ("chapeau", 0),
    "bread": ("pain", 0), "cheese": ("fromage", 0), "coat": ("manteau", 0), "knife": ("couteau", 0),
    "car": ("voiture", 1), "flower": ("fleur", 1), "letter": ("lettre", 1), "chair": ("chaise", 1),
    "shirt": ("chemise", 1), "key": ("clé", 1), "lamp": ("lampe", 1), "stone": ("pierre", 1),
    "box": ("boîte", 1), "pear": ("poire", 1),
}  # fmt: skip
PLACES = {
    "garden": ("jardin", 0), "bridge": ("pont", 0), "castle": ("château", 0), "wood": ("bois", 0),
    "house": ("maison", 1), "city": ("ville", 1), "street": ("rue", 1), "table": ("table", 1),
    "door": ("porte", 1), "mountain": ("montagne", 1),
}  # fmt: skip
PRONOUNS = {"he": "il", "she": "elle", "mary": "marie", "paul": "paul"}
# (third person, infinitive, French third person)
ACTS = [
    ("sees", "see", "voit"), ("takes", "take", "prend"), ("finds", "find", "trouve"),
    ("wants", "want", "veut"), ("watches", "watch", "regarde"), ("follows", "follow", "suit"),
    ("sells", "sell", "vend"), ("hides", "hide", "cache"), ("paints", "paint", "peint"),
    ("washes", "wash", "lave"), ("keeps", "keep", "garde"), ("loses", "lose", "perd"),
    ("knows", "know", "connaît"), ("pulls", "pull", "tire"), ("leaves", "leave", "quitte"),
]  # fmt: skip
STATES = [
    ("sleeps", "sleep", "dort"), ("runs", "run", "court"), ("sings", "sing", "chante"),
    ("works", "work", "travaille"), ("dances", "dance", "danse"), ("laughs", "laugh", "rit"),
    ("smiles", "smile", "sourit"), ("dreams", "dream", "rêve"),
]  # fmt: skip
ADVERBS = {"often": "souvent", "always": "toujours", "still": "encore", "rarely": "rarement"}
NEGATED_ADVERBS = ("often", "always")
NEGATED_DETERMINERS = ("the", "this", "my", "your")
PREPOSITIONS = {
    "in": "dans", "on": "sur", "under": "sous", "behind": "derrière", "with": "avec",
    "for": "pour", "without": "sans", "before": "devant",
}  # fmt: skip
JOINS = {"and": "et", "but": "mais", "because": "car", "when": "quand"}
LONGEST = 16


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of both languages, and the links (source word, target word) between them."""

    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    alignment: tuple[tuple[int, int], ...] = ()

    @property
    def held_out(self) -> bool:
        """Whether the sentence belongs to the tenth that no model is trained on."""
        return crc32(" ".join(self.source).encode()) % 10 == 0


def word(source: str, target: str) -> Phrase:
    """A word and its translation."""
    return Phrase((source,), (target,), ((0, 0),))


def joined(*parts: Phrase, order: tuple[int, ...] | None = None) -> Phrase:
    """The parts one after the other; in French in this order of the parts."""
    starts = [sum(len(one.source) for one in parts[:i]) for i in range(len(parts))]
    target: list[str] = []
    links: list[tuple[int, int]] = []
    for i in order or range(len(parts)):
        links += [(starts[i] + s, len(target) + t) for s, t in parts[i].alignment]
        target += parts[i].target
    source = tuple(text for one in parts for text in one.source)
    return Phrase(source, tuple(target), tuple(sorted(links)))


def noun_phrase(
    rng: random.Random, nouns: dict[str, tuple[str, int]], *, negated: bool = False
) -> Phrase:
    """`a small rich sad cat`, `un petit chat triste riche`: what follows the noun turns around."""
    english, (french, gender) = rng.choice(list(nouns.items()))
    later = MOODS if nouns is BEINGS else COLOURS
    before = rng.sample(list(BEFORE), rng.choices((0, 1), (60, 40))[0])
    after = rng.sample(list(later), rng.choices((0, 1, 2), (50, 40, 10))[0])
    article = rng.choice(NEGATED_DETERMINERS if negated else list(DETERMINERS))
    first = (*before, *after, english)[0]
    written = "an" if article == "a" and first[0] in "aeiou" else article
    parts = [word(written, DETERMINERS[article][gender])]
    parts += [word(one, BEFORE[one][gender]) for one in before]
    parts += [word(one, later[one][gender]) for one in after]
    parts.append(word(english, french))
    fixed = 1 + len(before)
    turned = reversed(range(fixed, len(parts)))
    return joined(*parts, order=(*range(fixed), *turned))


def translated(rng: random.Random, table: dict[str, str]) -> Phrase:
    """A word of the table and its translation."""
    return word(*rng.choice(list(table.items())))


def verb_phrase(rng: random.Random) -> Phrase:
    """A verb, perhaps negated, perhaps with an adverb, an object, a place."""
    acts = rng.random() < 0.65
    third, infinitive, french = rng.choice(ACTS if acts else STATES)
    negated = rng.random() < 0.3
    adverbs = {one: ADVERBS[one] for one in (NEGATED_ADVERBS if negated else ADVERBS)}
    adverb = [translated(rng, adverbs)] if rng.random() < 0.25 else []
    if negated:
        parts = [word("does", "ne"), word("not", "pas"), *adverb, word(infinitive, french)]
        verb = len(parts) - 1
        order = (0, verb, 1, *range(2, verb))
    else:
        parts = [*adverb, word(third, french)]
        order = tuple(reversed(range(len(parts))))
    found = joined(*parts, order=order)
    if acts:
        nouns = THINGS if rng.random() < 0.6 else BEINGS
        found = joined(found, noun_phrase(rng, nouns, negated=negated))
    if rng.random() < 0.3:
        found = joined(found, translated(rng, PREPOSITIONS), noun_phrase(rng, PLACES))
    return found


def clause(rng: random.Random) -> Phrase:
    """A subject and what it does; the subject may have a clause of its own."""
    if rng.random() < 0.2:
        return joined(translated(rng, PRONOUNS), verb_phrase(rng))
    subject = noun_phrase(rng, BEINGS)
    if rng.random() < 0.15:
        third, _, french = rng.choice(STATES)
        subject = joined(subject, word("who", "qui"), word(third, french))
    return joined(subject, verb_phrase(rng))


def sentences(seed: int, *, held_out: bool) -> Iterator[Phrase]:
    """Endless sentences of the training or of the held-out part."""
    rng = random.Random(seed)
    while True:
        found = clause(rng)
        if rng.random() < 0.25:
            found = joined(found, translated(rng, JOINS), clause(rng))
        found = joined(found, word(".", "."))
        if len(found.source) <= LONGEST and found.held_out == held_out:
            yield found


def vocabulary() -> tuple[list[str], list[str]]:
    """Every English and every French word, sorted."""
    forms = [*DETERMINERS.items(), *BEFORE.items(), *COLOURS.items(), *MOODS.items()]
    nouns = {**BEINGS, **THINGS, **PLACES}
    plain = {**ADVERBS, **PREPOSITIONS, **JOINS, **PRONOUNS}
    verbs = [*ACTS, *STATES]
    english = {one for one, _ in forms} | set(nouns) | set(plain)
    english |= {text for third, infinitive, _ in verbs for text in (third, infinitive)}
    french = {text for _, both in forms for text in both} | {text for text, _ in nouns.values()}
    french |= set(plain.values()) | {text for _, _, text in verbs}
    english |= {"an", "does", "not", "who", "."}
    return sorted(english), sorted(french | {"ne", "pas", "qui", "."})


def sample_lines(seed: int, count: int) -> Iterator[str]:
    """JSON lines of held-out sentences that each turn something around; `alignment` is Pharaoh's.

    Every second one is negated.
    """
    stream, seen = sentences(seed, held_out=True), set()
    for turn in range(count):
        for one in stream:
            crossing = any(a < c and b > d for a, b in one.alignment for c, d in one.alignment)
            fits = 6 <= len(one.source) <= 13 and crossing and one.source not in seen
            if fits and ("not" in one.source) == (turn % 2 == 1):
                break
        seen.add(one.source)
        links = " ".join(f"{source}-{target}" for source, target in one.alignment)
        row = {"text": " ".join(one.source), "target": " ".join(one.target), "alignment": links}
        yield json.dumps(row, ensure_ascii=False)


if __name__ == "__main__":
    print("\n".join(sample_lines(seed=3, count=24)))

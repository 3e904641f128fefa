"""Synthetic English reviews with exactly known evidence, for the sample model `sentiment`.

A review holds exactly one polarity word and at most one negator that flips it. These words are
its rationale. Anything else in it says nothing about the label.

    python samples/train/reviews.py > samples/text/reviews.jsonl
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def listed(text: str, mark: str = " ") -> list[str]:
    """The entries of `text`, which stand between marks or line ends."""
    return text.replace("\n", mark).split(mark)


LABELS = ("negative", "positive")
POSITIVE = listed("""good great excellent wonderful lovely superb brilliant charming delightful
fantastic amazing pleasant splendid perfect beautiful enjoyable impressive marvelous terrific
fine""")
NEGATIVE = listed("""bad terrible awful horrible poor dreadful boring disappointing dull
unpleasant ugly annoying disgusting mediocre miserable lousy tedious bland shabby weak""")
NEGATORS = listed("not never hardly")
INTENSIFIERS = listed("very quite really truly rather so")
THINGS = listed("""film movie soup meal room hotel book story dish novel coffee play song show
garden museum breakfast pizza cake dessert ending view bed concert trip lecture""")
SUBJECTS = listed(
    """it/the food/the music/the service/the staff/the acting/the hotel room/the main course
the second half/everything we ordered""",
    "/",
)
LINKS = listed("seemed looked felt appeared sounded")
SEGMENT = "[SEP]"  # as a word: what follows is the second text of a pair
JOINS = [*listed("and , but so while because then . ;"), SEGMENT]
CLAUSES = listed(
    """we saw it on monday/my friend paid the bill
she came with her sister/they arrived at noon/he took the train home/it rained all day
the table was near the window/i was there last week/we stayed for two nights
the children sat in the back/there were many people/our neighbor told us about it
you can walk there from the station/i read about it in the paper/we paid in cash
they open early in the morning/the street was full of cars/she asked for more water
he told us a long story/we had a room on the third floor/it was late in the evening""",
    "/",
)
NOUNS = listed("""cat dog mat man woman child children boy girl mother father brother sister
friend doctor nurse patient teacher student lawyer baker neighbor king queen house door window
kitchen table chair floor roof wall garden park street road river bank bridge town city village
country station train bus car boat ship plane store shop market office school hospital library
book letter paper page word sentence question answer story picture map key keys cabinet box
suitcase trophy bag hat coat shoe shirt phone computer model language attention head layer token
number money price bill water tea bread milk cheese apple banana fruit drink dinner lunch morning
evening night day week month year summer winter rain snow wind sun moon star sky sea lake hill
mountain tree flower grass machine science law art work war news radio train driver farmer writer
artist guest waiter cook bird fish fox horse cow mouse arrow ball game team time place thing name
people world life hand eye foot face voice mary john anna paul paris london""")
VERBS = listed("""sat ran walked went came saw looked took gave made found read wrote said told
asked bought sold ate cooked paid played worked lived lives stayed left arrived opened closed
moved turned carried held met called knew thought heard learned taught slept stood waited watched
used put brought sent jumps jumped flies flew fit drives likes like love need go see take get give
make say know think want come run walk eat drive ask tell help show wait sleep sit stand learn
teach open close start stop try tried wanted needed helped started stopped rest""")
PLACES = listed("on in at near under over behind beside with from to for of by about after before")
OTHERS = listed("""a an the this that these those i you he she it we they me him her us them my
your his its our their who which what where when why how is are was were be been has have had do
does did will would can could should may might must if than as too also only just still again
already soon now then here there today yesterday tomorrow often always sometimes once twice one
two three four five six seven ten many some all both every each other another more most few much
because although until since through into along around between against without during across up
down out off away back home old new young big small long short high low red blue green white black
brown quick slow lazy tired cold warm early late open full empty heavy light wooden first last
next same main own together far inside outside almost perhaps maybe yes whole local public
different several between monday friday sunday half course second noon nights ordered everything
told rained""")
PUNCTUATION = list(""".,;:!?'"-()""")
FILLERS = sorted({*NOUNS, *VERBS, *PLACES, *OTHERS, ","})


@dataclass(frozen=True, slots=True)
class Review:
    """Words, the label (index into LABELS), and the word indices of polarity word and negator."""

    words: list[str]
    label: int
    polarity: int
    negator: int | None

    @property
    def rationale(self) -> list[int]:
        """The word indices that decide the label."""
        return [self.polarity] if self.negator is None else [self.negator, self.polarity]

    @property
    def held_out(self) -> bool:
        """True for one review in ten, by its text: training and test never share a review."""
        return zlib.crc32(" ".join(self.words).encode()) % 10 == 0


def opinion(rng: random.Random) -> tuple[list[str], int]:
    """One opinion clause and its label."""
    positive, negated = rng.random() < 0.5, rng.random() < 0.5
    negator = [rng.choice(NEGATORS)] if negated else []
    degree = [rng.choice(INTENSIFIERS)] if rng.random() < 0.5 else []
    praise = [*degree, rng.choice(POSITIVE if positive else NEGATIVE)]
    thing = rng.choice(THINGS)
    subject = rng.choice([*SUBJECTS, f"the {thing}", f"this {thing}", f"our {thing}"]).split()
    shape = rng.random()
    if shape < 0.2:
        article = "an" if praise[0][0] in "aeiou" else "a"
        words = ["it", rng.choice(["was", "is"]), *negator, article, *praise, thing]
    elif shape < 0.5 and negator != ["not"]:
        words = [*subject, *negator, rng.choice(LINKS), *praise]
    else:
        words = [*subject, rng.choice(["was", "is"]), *negator, *praise]
    return words, int(positive != negated)


def filler(rng: random.Random, natural: bool) -> list[str]:
    """A clause without an opinion. Unless `natural`, most are made of words drawn at random."""
    shape = rng.random()
    if natural or shape < 0.25:
        return rng.choice(CLAUSES).split()
    if shape < 0.5:
        start, end = rng.choice(NOUNS), rng.choice(NOUNS)
        return ["the", start, rng.choice(VERBS), rng.choice(PLACES), "the", end]
    return rng.choices(FILLERS, k=rng.randint(3, 9))


def reviews(seed: int, *, held_out: bool, natural: bool = False) -> Iterator[Review]:
    """Endless reviews of the training or of the held-out part."""
    rng = random.Random(seed)
    while True:
        words, label = opinion(rng)
        for _ in range(rng.choices(range(5), weights=(15, 40, 25, 12, 8))[0]):
            join = rng.choice(["and", "but"] if natural else JOINS)
            clause = filler(rng, natural)
            words = [*words, join, *clause] if rng.random() < 0.5 else [*clause, join, *words]
        words = [*words[:56], *rng.choice([".", ".", "!", ""])]
        polarity = [i for i, word in enumerate(words) if word in POSITIVE or word in NEGATIVE]
        negator = [i for i, word in enumerate(words) if word in NEGATORS]
        if not polarity:
            continue  # the cut took the opinion away
        review = Review(words, label, polarity[0], negator[0] if negator else None)
        if review.held_out == held_out:
            yield review


def vocabulary() -> list[str]:
    """Every word and mark that a review can hold, sorted."""
    phrases = [*SUBJECTS, *CLAUSES]
    words = {word for phrase in phrases for word in phrase.split()}
    words.update(POSITIVE, NEGATIVE, NEGATORS, INTENSIFIERS, THINGS, LINKS, JOINS, FILLERS)
    return sorted((words | set(PUNCTUATION)) - {SEGMENT})


def sample_lines(seed: int, count: int) -> Iterator[str]:
    """JSON lines of short held-out reviews, the four kinds (label, negated) in turn.

    Only the last word carries a mark, so `rationale` indexes `text.split()` and the words of a
    tokenizer that splits marks off alike.
    """
    stream = reviews(seed, held_out=True, natural=True)
    for turn in range(count):
        kind = (turn % 2, turn % 4 >= 2)
        for review in stream:
            marks = sum(word in PUNCTUATION for word in review.words)
            short = marks == 1 and 8 <= len(review.words) <= 18
            if short and (review.label, review.negator is not None) == kind:
                break
        text = " ".join(review.words[:-1]).capitalize() + review.words[-1]
        text = text.replace(" i ", " I ")
        row = {"text": text, "label": LABELS[review.label], "rationale": review.rationale}
        yield json.dumps(row)


if __name__ == "__main__":
    print("\n".join(sample_lines(seed=7, count=20)))

"""Writes the toy data: texts, treebanks, word list, analogies, similarities, README, checksums.

    python -m dynotes.corpora.make_toy --out data/toy

The same bytes come out every time: nothing but ``Generator(PCG64(seed)).random()`` is drawn, and
sums are exactly rounded.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from dynotes.corpora.atomic import atomic_write
from dynotes.corpora.errors import PathLike
from dynotes.corpora.toy_derivation import Sentence
from dynotes.corpora.toy_language import SEED, ToyLanguage
from dynotes.corpora.toy_plug_in import PlugIn
from dynotes.corpora.toy_relations import MIN_COUNT, PAIRS_A_SECTION, analogies, rated_pairs
from dynotes.corpora.trees import is_projective

# part: (seed, sentences of the text, the first of them that are in the treebank too)
PARTS: Mapping[str, tuple[int, int, int]] = {
    "train": (101, 24_000, 1_200),
    "dev": (102, 1_500, 200),
    "test": (103, 1_500, 300),
}
SIMILARITY_SEED = 104


def conllu(sentences: Sequence[Sentence], part: str) -> str:
    """The trees in CoNLL-U; columns that the language does not have are ``_``."""
    blocks = []
    for number, s in enumerate(sentences, start=1):
        lines = [f"# sent_id = {part}-{number}", "# text = " + " ".join(s.words)]
        columns = zip(s.words, s.lemmas, s.tags, s.features, s.heads, s.labels)
        for i, (word, lemma, tag, feats, head, label) in enumerate(columns, start=1):
            lines.append(f"{i}\t{word}\t{lemma}\t{tag}\t_\t{feats}\t{head}\t{label}\t_\t_")
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def write_toy(folder: PathLike) -> Path:
    """Write all files of the toy data into a folder, which is made if need be."""
    language = ToyLanguage(SEED)
    samples = {}
    for part, (seed, count, _) in PARTS.items():
        rng = np.random.Generator(np.random.PCG64(seed))
        samples[part] = [language.sample(rng) for _ in range(count)]
    files = {**_corpora(language, samples), **_relations(language, samples["train"])}
    files["README.md"] = _readme(language, samples, files)
    data = {name: text.encode() for name, text in files.items()}
    sums = (f"{hashlib.sha256(data[name]).hexdigest()}  {name}\n" for name in sorted(data))
    data["SHA256SUMS"] = "".join(sums).encode()
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in data.items():
        atomic_write(target / name, content)
    return target


def _corpora(language: ToyLanguage, samples: Mapping[str, Sequence[Sentence]]) -> dict[str, str]:
    files = {"vocabulary.txt": "".join(word + "\n" for word in language.vocabulary)}
    for part, sentences in samples.items():
        files[f"{part}.txt"] = "".join(" ".join(s.words) + "\n" for s in sentences)
        files[f"{part}.conllu"] = conllu(sentences[: PARTS[part][2]], part)
    return files


def _relations(language: ToyLanguage, train: Sequence[Sentence]) -> dict[str, str]:
    counts = Counter(word for s in train for word in s.words)
    questions = "".join(
        f": {section}\n" + "".join(" ".join(four) + "\n" for four in fours)
        for section, fours in analogies(language.lexicon, counts).items()
    )
    rng = np.random.Generator(np.random.PCG64(SIMILARITY_SEED))
    pairs = rated_pairs(language.lexicon, counts, rng.random)
    rated = "".join(f"{a}\t{b}\t{score:.2f}\n" for a, b, score in pairs)
    return {"analogies.txt": questions, "similarity.tsv": rated}


def _readme(
    language: ToyLanguage, samples: Mapping[str, Sequence[Sentence]], files: Mapping[str, str]
) -> str:
    seen = {word for s in samples["train"] for word in s.words}
    plug_in = PlugIn(language, [s.words for s in samples["train"]])
    texts, banks = [], []
    for part, sentences in samples.items():
        words = sum(len(s.words) for s in sentences)
        best = math.exp(-math.fsum(s.log_prob for s in sentences) / (words + len(sentences)))
        found = plug_in.perplexity([s.words for s in sentences])
        unseen = sum(word not in seen for s in sentences for word in s.words)
        gap = 100 * (found / best - 1)
        texts.append(
            (part, len(sentences), words, unseen, f"{best:.4f}", f"{found:.4f}", f"{gap:.2f} %")
        )
        bank = sentences[: PARTS[part][2]]
        crossing = 100 * sum(not is_projective(s.heads) for s in bank) / len(bank)
        banks.append((part, len(bank), sum(len(s.words) for s in bank), f"{crossing:.2f} %"))
    questions = [q for q in files["analogies.txt"].splitlines() if not q.startswith(":")]
    return README.format(
        types=len(language.vocabulary),
        seen=len(seen),
        entropy=language.entropy(),
        length=language.expected_length(),
        perplexity=language.expected_perplexity(),
        crossing=100 * language.nonprojective_share(),
        texts=_table(texts),
        banks=_table(banks),
        questions=len(questions),
        pairs=len(files["similarity.tsv"].splitlines()),
        least=MIN_COUNT,
        asked=PAIRS_A_SECTION,
    )


def _table(rows: Sequence[Sequence[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


README = """# The toy language

An invented language whose truth is known exactly, drawn from an unambiguous probabilistic grammar:
`dynotes/corpora/toy_grammar.py` holds the rules, `toy_lexicon.py` the words. Every file here is
made, byte for byte, by

    python -m dynotes.corpora.make_toy --out data/toy

| file | content |
|---|---|
| `train.txt` `dev.txt` `test.txt` | independent samples, a sentence a line, tokens between spaces |
| `train.conllu` `dev.conllu` `test.conllu` | trees of the first sentences of these texts |
| `vocabulary.txt` | all {types} word types, sorted |
| `analogies.txt` | {questions} questions `a b c d` below headings `: section` |
| `similarity.tsv` | {pairs} word pairs with a gold similarity from 0 to 10 |
| `SHA256SUMS` | checksums |

## The truth

- Word types: {types}, of which {seen} are seen in `train.txt`. A language model takes
  `vocabulary.txt` and `<eos>` as its vocabulary: there is no unknown word, and the optimum holds.
- Entropy of a sentence: {entropy:.6f} nats; expected length: {length:.6f} words.
- Every sentence end is predicted as a token `<eos>`. The lowest perplexity reachable on a long
  text is exp(entropy / (expected length + 1)) = {perplexity:.6f}; the optima in the table are
  those of the truth on the texts here.
- Plug-in: the true grammar with word weights counted in `train.txt`, plus 0.5 each.
- Share of sentences with crossing arcs: {crossing:.4f} % in the grammar.

| part | sentences | words | unseen in train | optimum perplexity | plug-in | gap |
|---|---|---|---|---|---|---|
{texts}

| part | trees | words | crossing |
|---|---|---|---|
{banks}

## The language

    he  le zurere   ki  lugigis  gagabey lem lesere  silatis  ze
    PRS the bird    that sees    quickly the fish    sings    PRS

(the glosses are invented too). A sentence begins with a particle that governs the tense of its
verbs and is echoed at its very end. Nouns have one of four genders, which are their semantic
classes: male and female persons (the same stems), animals, things. Articles agree with the noun in
number and show its case, adjectives agree in gender, verbs in number with the subject, from which
a relative clause may separate them. Verbs and prepositions select the class of the noun that they
govern, verbs also their preposition. A relative clause of the main subject may stand behind the
verb phrase: its arc crosses the root's.

Every frequent stem of a part of speech and class has a topic of its own, the rare ones share one.
Adjectives prefer nouns of their topic, nouns the verbs that they are the subject of, verbs their
adverbs and the nouns behind them. So the stem of a word and its inflection both show in the words
around it, mostly in different ones.

## Analogies and similarities

Both use only words that are seen {least} times in `train.txt` at least. An analogy pairs two stems
in the same two inflections, {asked} pairs a relation at most, the most frequent ones. Stems that
share their topic with others of their class are not asked about: the grammar gives them the same
distribution, so no text could tell them apart. Nor are pronouns but subjects: the number of an
object shows nowhere. The similarity of two content words is 0 if their parts of speech differ,
else 2 + 3 [same family] + 2 [same topic] + 3 (share of equal features; 1 if there are none), where
the family is the semantic class (of verbs: what they select), the features are gender, number and
tense: the four things by which the grammar chooses the neighbours of a word.
"""


@click.command(help="Write the files of the toy language.")
@click.option("--out", required=True, metavar="FOLDER", help="Where to; made if need be.")
def main(out: str) -> None:
    """Entry of ``python -m dynotes.corpora.make_toy``."""
    try:
        click.echo(f"wrote {write_toy(out)}")
    except OSError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()

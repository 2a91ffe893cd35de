"""The models of word2vec by name, and the settings that one of them has alone.

`dynotes.training.word2vec.config` puts these tables together with what all models have.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynotes.training.settings import ConfigError, setting

PAIR_MODELS = ("skipgram", "cbow", "structured-skipgram", "cwindow")
SUBWORD_MODELS = ("subword", "subword-cbow")  # words are made of n-grams of characters
PARAGRAPH_MODELS = ("pv-dm", "pv-dbow")  # every line has a vector
SENTENCE_MODELS = ("context2vec", "c2w")  # LSTMs over whole sentences, trained by Adam
NGRAM_MODELS = ("sembei",)  # a text of characters
PHRASE_MODELS = ("tim",)  # skip-gram of words and phrases, then a composition of these
MODELS = (*PAIR_MODELS, *SUBWORD_MODELS, *PARAGRAPH_MODELS, *SENTENCE_MODELS, *NGRAM_MODELS,
          *PHRASE_MODELS)  # fmt: skip

DAMPED = {"model": tuple(m for m in MODELS if m not in SENTENCE_MODELS)}
WORDS = {"model": tuple(m for m in MODELS if m not in NGRAM_MODELS)}
WINDOWS = {"model": tuple(m for m in DAMPED["model"] if m in WORDS["model"])}
BAGS = {"model": ("cbow", *SUBWORD_MODELS)}
SUBWORD = {"model": SUBWORD_MODELS}
SENTENCES = {"model": SENTENCE_MODELS}
C2W = {"model": ("c2w",)}
NGRAMS = {"model": NGRAM_MODELS}
TIM = {"model": PHRASE_MODELS}

MODES = ("concat", "mean", "sum")
DIAGONALS = ("identity", "unit", "learned", "none")


@dataclass(frozen=True)
class SubwordSettings:
    """Words made of n-grams of characters (T57)."""

    minn: int = setting(
        3, "characters of an n-gram, at least (T57)", low=1, high=1000, only=SUBWORD
    )
    maxn: int = setting(6, "at most; 0: no n-grams", low=0, high=1000, only=SUBWORD)
    buckets: int = setting(
        2_000_000, "what the hashes of n-grams are taken modulo", low=1, only=SUBWORD
    )
    exact: bool = setting(
        False,
        "a mean of n-grams has its gradient; else each n-gram gets it undivided, as in the "
        "released code",
        only={**SUBWORD, "mean": (True,)},
    )


@dataclass(frozen=True)
class ParagraphSettings:
    """Vectors of the lines of a text (T60, T61)."""

    mode: str = setting(
        "concat",
        "how the vectors of a line and of a window are put together; concat takes the whole "
        "window, whatever --dynamic says (T60)",
        choices=MODES,
        only={"model": ("pv-dm",)},
    )
    around: bool = setting(
        False, "the window lies on both sides, else before the word", only={"model": ("pv-dm",)}
    )
    divided: bool = setting(
        True,
        "a mean has its gradient; else each vector gets that of the mean undivided, as in gensim",
        only={"model": ("pv-dm",), "mode": ("mean",)},
    )
    dbow_words: bool = setting(
        False, "words predict those of their windows too (T61)", only={"model": ("pv-dbow",)}
    )


@dataclass(frozen=True)
class SentenceSettings:
    """LSTMs over words and over characters (T59, T63)."""

    hidden: int = setting(
        0, "size of each LSTM over words; 0: dim (T59, T63)", low=0, high=20000, only=SENTENCES
    )
    char_dim: int = setting(50, "size of a character vector", low=1, high=20000, only=C2W)
    char_hidden: int = setting(
        150, "size of each LSTM over characters", low=1, high=20000, only=C2W
    )


@dataclass(frozen=True)
class NgramSettings:
    """Adjacent n-grams of characters (T67)."""

    ngrams: str = setting(
        "1000,10000,10000,10000",
        "n-grams of 1, 2, ... characters that get a vector (T67)",
        only=NGRAMS,
    )
    spaces: bool = setting(
        False, "keep the end of a word as a character, else drop white space", only=NGRAMS
    )
    epsilon: float = setting(
        0.0,
        "count n-grams lossily, wrong by this share of the text at most; 0: exactly",
        low=0,
        high=0.5,
        only=NGRAMS,
    )

    @property
    def ngram_sizes(self) -> list[int]:
        """How many n-grams of 1, 2, ... characters there are; ConfigError if that is not said."""
        parts = [part.strip() for part in self.ngrams.split(",")]
        if not all(part.isdecimal() for part in parts):
            expected = "whole numbers with commas between"
            raise ConfigError(f"ngrams: expected {expected}, found {self.ngrams!r}")
        return [int(part) for part in parts]


@dataclass(frozen=True)
class PhraseSettings:
    """Phrases of a text, and the composition of their vectors (T64)."""

    threshold: float = setting(
        10.0, "score above which two words are a phrase (T64)", low=0, only=TIM
    )
    discount: float = setting(
        5.0, "taken from the count of a pair of words for its score", low=0, only=TIM
    )
    passes: int = setting(
        1,
        "over the text in search of phrases; 2 finds those of 3 or 4 words",
        low=1,
        high=20,
        only=TIM,
    )
    phrase_types: str = setting(
        "",
        "file of phrases with their types, or CoNLL-U: types are pairs of tags; none: one type",
        only=TIM,
    )
    rank: int = setting(5, "of the forms of the tensor, r", low=1, high=20000, only=TIM)
    diag: str = setting("identity", "what is added to the forms", choices=DIAGONALS, only=TIM)
    ridge: float = setting(
        1e-3, "lambda, on the squares of the parameters of a composition", low=0, only=TIM
    )
    held_out: float = setting(
        0.1,
        "share of the phrases to choose by, and the same to measure with",
        low=1e-6,
        high=0.49,
        only=TIM,
    )
    fit_epochs: int = setting(40, "passes over the phrases, at most", low=1, only=TIM)

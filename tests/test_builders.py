"""Laws that hold for every Builder of the package; a new one needs a row in ROWS."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import dynet as dy
import numpy as np
import pytest

import dynotes
from dynotes.corpora.spelling import Spelling
from dynotes.corpora.treebank import SentenceBatch
from dynotes.embeddings.c2w import C2w
from dynotes.embeddings.cbow import Cbow
from dynotes.embeddings.composition_baselines import LinearComposition
from dynotes.embeddings.context2vec import Context2vec
from dynotes.embeddings.cwindow import CWindow
from dynotes.embeddings.fasttext_classifier import FastTextClassifier
from dynotes.embeddings.left_reader import C2wReader, LeftReader, SpelledSlots
from dynotes.embeddings.output_losses.full_softmax import FullSoftmaxLoss
from dynotes.embeddings.output_losses.hierarchical_softmax import HierarchicalSoftmaxLoss
from dynotes.embeddings.output_losses.nce import NceLoss
from dynotes.embeddings.output_losses.negative_sampling import NegativeSamplingLoss
from dynotes.embeddings.output_losses.negatives import SharedNoise
from dynotes.embeddings.pairs import id_bags, id_pairs
from dynotes.embeddings.paragraphs import Mixture, id_windows
from dynotes.embeddings.predictions import predicted
from dynotes.embeddings.pv_dbow import PvDbow
from dynotes.embeddings.pv_dm import PvDm
from dynotes.embeddings.skip_gram import SkipGram
from dynotes.embeddings.slots import id_slots
from dynotes.embeddings.subword import Subword
from dynotes.embeddings.subword_cbow import SubwordCbow, unit_bags
from dynotes.embeddings.tensor_indexing import TensorIndexing
from dynotes.embeddings.text_bags import Gold, text_bags
from dynotes.embeddings.units import Units, VocabularyUnits
from dynotes.embeddings.windows import id_windows as slotted
from dynotes.graph.arrays import feed, read
from dynotes.graph.builder import Builder
from dynotes.language_models.lstm_lm import LstmLm
from dynotes.parsing.biaffine import Biaffine
from dynotes.parsing.biaffine_parser import BiaffineParser
from dynotes.parsing.parser_inputs import ParserInputs
from dynotes.parsing.transition_parser import TransitionParser
from dynotes.structures.adaptive_softmax import AdaptiveSoftmax
from dynotes.structures.class_factored_softmax import ClassFactoredSoftmax
from dynotes.tips.bilstm import BiLstm
from dynotes.tips.softmax_approximations.full_softmax import FullSoftmax
from dynotes.tips.softmax_approximations.sampled_output import SampledOutput
from dynotes.tips.tied_embeddings import TiedEmbeddings, WordEmbeddings
from dynotes.tips.variational_lstm import VariationalLSTM
from dynotes.training.parameters import named_parameters, set_value
from tests.helpers import asymmetric

V, E, H = 6, 3, 4


class Row(NamedTuple):
    """How to make a builder, and an output of T steps and B batch entries that uses all of it."""

    kind: Callable[..., Builder]
    spec: dict[str, Any]
    output: Callable[[Any, int, int], dy.Expression]


def vectors(size, count):
    values = np.random.default_rng(count).normal(size=(size, count))
    return feed(values, batched=True)


def ids(steps, batch):
    return np.arange(steps * batch).reshape(steps, batch) % V


def lm_output(model, steps, batch):
    return model.nll(model.segment(ids(steps, batch), some_state(model, batch)), ids(steps, batch))


def some_state(model, batch):
    return [np.full_like(z, 0.3) for z in model.zero_state(batch)]


def lstm_output(lstm, steps, batch):
    state = lstm.start(batch, values=some_state(lstm, batch))
    for t in range(steps):
        state = state.add_input(vectors(E, batch) * float(t + 1))
    return state.output()


def tied_output(tied, steps, batch):
    words = ids(steps, batch)
    known = dy.sum_elems(tied.embed(words))
    return tied.nll(vectors(tied.n_hidden, steps * batch), words) + known


def layer_output(layer, steps, batch):
    return layer.nll(vectors(layer.n_hidden, steps * batch), ids(steps, batch))


def sampled_output(output, steps, batch):
    h = vectors(H, steps * batch)
    return output.nll(h, ids(steps, batch)) + output.log_partition(h)


def pair_output(encoder, steps, batch):
    words = ids(steps, batch).ravel()
    return encoder.hidden(id_pairs(words, words[::-1]))


def bag_output(encoder, steps, batch):
    words = ids(steps, batch).ravel()
    return encoder.hidden(id_bags([words] * len(words), words))


def unit_output(encoder, steps, batch):
    rows = ids(steps, batch).ravel()
    sizes = np.sort(np.arange(len(rows)) % 2 + 1)  # some words of one unit, some of two
    return encoder.hidden(Units(np.arange(len(rows)), sizes, np.resize(rows, sizes.sum())))


def text_output(model, steps, batch):
    rows = ids(steps, batch).ravel()
    labels = Gold(np.arange(len(rows)), rows % model.n_labels)
    return model.losses(text_bags(rows, np.arange(1, len(rows) + 1)), labels)


def unit_bag_output(encoder, steps, batch):
    words = ids(steps, batch).ravel() % (V - 2)
    vocabulary = VocabularyUnits(np.arange(2 * V - 4) % V, 2 * np.arange(V - 1), np.arange(2))
    bags = unit_bags(vocabulary, id_bags([words] * len(words), words))
    return encoder.hidden(bags)


def composition_output(model, steps, batch):
    n = steps * batch
    return dy.esum([model(vectors(E, n), vectors(E, n) * 2.0, kind=kind) for kind in (0, 1)])


def transition_output(parser, steps, batch):
    products = parser.products([vectors(E, steps * batch) for _ in parser.n_in])
    places = np.arange(4) + np.arange(steps * batch + 1)[:, None]
    return parser.scores(products, places % (steps * batch + 1))


def loss_output(loss, steps, batch):
    n = steps * batch
    slots = np.arange(n) % loss.n_slots
    targets = predicted(np.arange(n), ids(steps, batch).ravel(), slots)
    noise = SharedNoise(np.arange(V), np.full(V, 2 / V))
    return loss.loss(dy.reshape(vectors(E, n), (E, n)), targets, noise)


def window_output(model, steps, batch):
    words = ids(steps, batch).ravel()
    slots = np.stack([np.full_like(words, -1), words], axis=1)  # an empty slot reads the padding
    return model.hidden(id_windows(words, slots, words))


def slotted_output(encoder, steps, batch):
    words = ids(steps, batch).ravel()
    return encoder.hidden(slotted([words, np.full_like(words, encoder.padding)]))


def mixture_output(model, steps, batch):
    words = np.unique(ids(steps, batch))
    return model.hidden(Mixture(words, words[: len(words) * model.words], words, words))


PARAGRAPHS = {"n_words": V, "n_documents": V, "n_embed": E}


def sentences(steps, batch):
    """B sentences of T words, every word in one place of its sentence at least."""
    return id_slots(ids(steps, batch).T.tolist())


def spelling(words):
    """Words of 1 to 3 characters."""
    lengths = np.arange(words) % 3 + 1
    return Spelling(np.arange(lengths.sum()) % V, lengths)


def spelled(steps, batch):
    slots = sentences(steps, batch)
    return SpelledSlots(slots, spelling(len(slots.words)))


def read_left(reader, steps, batch):
    slots = sentences(steps, batch)
    return reader.hidden(vectors(E, len(slots.words)), slots)


def treebank(steps, batch):
    """B sentences of T words, all different as far as the tables go."""
    words = ids(steps + 1, batch)
    forms = np.arange(words.size).reshape(words.shape)
    return SentenceBatch(
        words, words % 4, words - words, forms, spelling(words.size), np.full(batch, steps)
    )


def parser_loss(parser, steps, batch):
    chain = np.tile(np.arange(steps), batch)
    labels = np.arange(len(chain)) % parser.n_labels
    return parser.loss(treebank(steps, batch), chain, labels)


INPUTS = {"n_words": V, "n_tags": 4, "n_chars": V, "word_size": E, "tag_size": 2, "char_size": 2}
INPUTS = {**INPUTS, "char_hidden": 3}
PARSER = {"n_labels": 3, "n_hidden": H, "layers": 2, "arc_size": 5, "label_size": 4}


ROWS = {
    "BiLstm": Row(
        BiLstm,
        {"n_in": [E, 2], "n_hidden": H, "layers": 2},
        lambda m, steps, batch: dy.esum(
            list(
                m(
                    [vectors(E, steps * batch), vectors(2, steps * batch)],
                    np.ones((steps, batch), np.bool_),
                )
            )
        ),
    ),
    "Biaffine, arcs": Row(
        Biaffine,
        {"n_head": E, "n_dep": H},
        lambda m, steps, batch: m.pairs(
            dy.reshape(vectors(E, steps * batch), (E, steps), batch),
            dy.reshape(vectors(H, steps * batch), (H, steps), batch),
        ),
    ),
    "Biaffine, labels": Row(
        Biaffine,
        {"n_head": E, "n_dep": H, "n_out": 3, "bias_dep": True},
        lambda m, steps, batch: m(vectors(E, steps * batch), vectors(H, steps * batch)),
    ),
    "ParserInputs": Row(
        ParserInputs, INPUTS, lambda m, steps, batch: dy.concatenate(m(treebank(steps, batch)))
    ),
    "BiaffineParser": Row(BiaffineParser, {"inputs": INPUTS, **PARSER}, parser_loss),
    "VariationalLSTM": Row(VariationalLSTM, {"layers": 2, "n_in": E, "n_hidden": H}, lstm_output),
    "WordEmbeddings": Row(
        WordEmbeddings,
        {"n_words": V, "n_embed": E},
        lambda e, steps, batch: e.embed(ids(steps, batch)),
    ),
    "FullSoftmax": Row(
        FullSoftmax,
        {"n_words": V, "n_hidden": H},
        lambda f, steps, batch: f.nll(vectors(H, steps * batch), ids(steps, batch)),
    ),
    "TiedEmbeddings": Row(TiedEmbeddings, {"n_words": V, "n_embed": E}, tied_output),
    "TiedEmbeddings, projected": Row(
        TiedEmbeddings, {"n_words": V, "n_embed": E, "n_hidden": H, "bias": False}, tied_output
    ),
    "SampledOutput": Row(
        SampledOutput, {"n_words": V, "n_hidden": H, "shift": [0.5] * V}, sampled_output
    ),
    "SampledOutput, projected": Row(
        SampledOutput,
        {"n_words": V, "n_hidden": H, "n_embed": E, "normaliser": True},
        sampled_output,
    ),
    "AdaptiveSoftmax": Row(
        AdaptiveSoftmax, {"n_words": V, "n_hidden": H, "cutoffs": [2, 4], "div": 2.0}, layer_output
    ),
    "AdaptiveSoftmax, tied": Row(
        AdaptiveSoftmax, {"n_words": V, "n_hidden": H, "cutoffs": [3], "tie": True}, tied_output
    ),
    "ClassFactoredSoftmax": Row(ClassFactoredSoftmax, {"n_words": V, "n_hidden": H}, layer_output),
    "ClassFactoredSoftmax, random": Row(
        ClassFactoredSoftmax,
        {"n_words": V, "n_hidden": H, "classes": 2, "assignment": "random", "bias": False},
        layer_output,
    ),
    "LstmLm": Row(LstmLm, {"n_words": V, "n_embed": E, "n_hidden": H}, lm_output),
    "LstmLm, tied": Row(
        LstmLm, {"n_words": V, "n_embed": H, "n_hidden": H, "tie": True}, lm_output
    ),
    "LstmLm, projected": Row(
        LstmLm, {"n_words": V, "n_embed": E, "n_hidden": H, "layers": 1, "tie": True}, lm_output
    ),
    "LstmLm, sampled": Row(
        LstmLm,
        {"n_words": V, "n_embed": E, "n_hidden": H, "tie": True, "softmax": "sampled"},
        lm_output,
    ),
    "LstmLm, adaptive": Row(
        LstmLm,
        {
            "n_words": V,
            "n_embed": H,
            "n_hidden": H,
            "tie": True,
            "softmax": "adaptive",
            "options": {"cutoffs": [2, 4], "div": 2.0},
        },
        lm_output,
    ),
    "LstmLm, class-factored": Row(
        LstmLm,
        {"n_words": V, "n_embed": E, "n_hidden": H, "softmax": "class-factored"},
        lm_output,
    ),
    "SkipGram": Row(SkipGram, {"n_words": V, "n_embed": E}, pair_output),
    "Cbow": Row(Cbow, {"n_words": V, "n_embed": E}, bag_output),
    "Cbow, sum": Row(Cbow, {"n_words": V, "n_embed": E, "mean": False}, bag_output),
    "CWindow": Row(CWindow, {"n_words": V, "n_embed": E, "window": 1}, slotted_output),
    "Subword": Row(Subword, {"n_words": V - 2, "n_ngrams": 2, "n_embed": E}, unit_output),
    "Subword, sum": Row(
        Subword, {"n_words": V - 2, "n_ngrams": 2, "n_embed": E, "mean": False}, unit_output
    ),
    "FastTextClassifier": Row(
        FastTextClassifier, {"n_rows": V, "n_embed": E, "counts": [3, 2, 2]}, text_output
    ),
    "FastTextClassifier, tree": Row(
        FastTextClassifier,
        {"n_rows": V, "n_embed": E, "counts": [4, 2, 1], "output": "hierarchical-softmax"},
        text_output,
    ),
    "FastTextClassifier, one-vs-all": Row(
        FastTextClassifier,
        {"n_rows": V, "n_embed": E, "counts": [3, 2], "output": "one-vs-all"},
        text_output,
    ),
    "Subword, undivided": Row(
        Subword, {"n_words": V - 2, "n_ngrams": 2, "n_embed": E, "exact": False}, unit_output
    ),
    "SubwordCbow": Row(
        SubwordCbow, {"n_words": V - 2, "n_ngrams": 2, "n_embed": E}, unit_bag_output
    ),
    "SubwordCbow, undivided": Row(
        SubwordCbow,
        {"n_words": V - 2, "n_ngrams": 2, "n_embed": E, "exact": False},
        unit_bag_output,
    ),
    "Context2vec": Row(
        Context2vec,
        {"n_words": V, "n_embed": E, "n_hidden": H, "n_middle": 9, "n_out": 5},
        lambda m, steps, batch: m.hidden(sentences(steps, batch)),
    ),
    "C2w": Row(
        C2w,
        {"n_chars": V, "n_embed": E, "n_char_embed": 2, "n_hidden": H},
        lambda m, steps, batch: m.embed(spelling(steps * batch)),
    ),
    "LeftReader": Row(LeftReader, {"n_embed": E, "n_hidden": H}, read_left),
    "C2wReader": Row(
        C2wReader,
        {"n_chars": V, "n_embed": E, "n_char_embed": 2, "n_char_hidden": 3, "n_hidden": H},
        lambda m, steps, batch: m.hidden(spelled(steps, batch)),
    ),
    "FullSoftmaxLoss": Row(FullSoftmaxLoss, {"counts": [3] * V, "n_embed": E}, loss_output),
    "HierarchicalSoftmaxLoss": Row(
        HierarchicalSoftmaxLoss, {"counts": [9] + [2] * (V - 1), "n_embed": E}, loss_output
    ),
    "NegativeSamplingLoss": Row(
        NegativeSamplingLoss, {"counts": [3] * V, "n_embed": E, "negatives": 2}, loss_output
    ),
    "NceLoss": Row(
        NceLoss, {"counts": [3] * V, "n_embed": E, "n_slots": 1, "negatives": 2}, loss_output
    ),
    "PvDm": Row(PvDm, {**PARAGRAPHS, "slots": 2}, window_output),
    "PvDm, mean": Row(PvDm, {**PARAGRAPHS, "slots": 2, "mode": "mean"}, window_output),
    "PvDm, undivided": Row(
        PvDm, {**PARAGRAPHS, "slots": 2, "mode": "mean", "divided": False}, window_output
    ),
    "PvDm, sum": Row(PvDm, {**PARAGRAPHS, "slots": 2, "mode": "sum"}, window_output),
    "PvDbow": Row(PvDbow, PARAGRAPHS, mixture_output),
    "PvDbow, words": Row(PvDbow, {**PARAGRAPHS, "words": True}, mixture_output),
    "TensorIndexing": Row(
        TensorIndexing, {"n_embed": E, "diag": "learned", "types": 2}, composition_output
    ),
    "TensorIndexing, full": Row(
        TensorIndexing, {"n_embed": E, "rank": None, "diag": "unit", "types": 2}, composition_output
    ),
    "TransitionParser": Row(
        TransitionParser, {"n_in": [E, E], "n_labels": 2, "n_hidden": H}, transition_output
    ),
    "TransitionParser, swap": Row(
        TransitionParser,
        {"n_in": [E], "n_labels": 2, "n_hidden": H, "algorithm": "swap", "multi_root": True},
        transition_output,
    ),
    "LinearComposition": Row(LinearComposition, {"n_embed": E, "types": 2}, composition_output),
}
every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def make(row, pc):
    """A builder whose parameters are all different from zero."""
    builder = row.kind(pc, **row.spec)
    rng = np.random.default_rng(3)
    for p in named_parameters(builder.param_collection()).values():
        set_value(p, rng.normal(0, 0.5, p.shape()).astype(np.float32))
    return builder


def test_every_builder_of_the_package_has_a_row():
    for module in pkgutil.walk_packages(dynotes.__path__, "dynotes."):
        importlib.import_module(module.name)
    found, queue = set(), [Builder]
    while queue:
        for kind in queue.pop().__subclasses__():
            queue.append(kind)
            if kind.__module__.startswith("dynotes.") and not inspect.isabstract(kind):
                found.add(kind)
    rows = {row.kind for row in ROWS.values()}
    missing = sorted(f"{kind.__module__}.{kind.__name__}" for kind in found - rows)
    assert not missing, f"no row in ROWS of tests/test_builders.py for: {', '.join(missing)}"


@every_row
def test_saving_and_loading_is_exact_although_the_name_is_taken(row, tmp_path):
    pc, other = dy.ParameterCollection(), dy.ParameterCollection()
    builder = make(row, pc)
    expected = read(row.output(builder, 3, 2))
    dy.save(str(tmp_path / "saved"), [builder])
    row.kind(other, **row.spec)
    dy.renew_cg()
    (loaded,) = dy.load(str(tmp_path / "saved"), other)
    np.testing.assert_array_equal(read(row.output(loaded, 3, 2)), expected)


@every_row
def test_the_spec_is_exactly_the_keyword_arguments_as_plain_json(row):
    builder = make(row, dy.ParameterCollection())
    parameters = inspect.signature(row.kind.__init__).parameters.values()
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert builder.spec == {**keywords, **row.spec}
    assert json.loads(json.dumps(builder.spec)) == builder.spec


@every_row
def test_from_spec_makes_parameters_of_the_same_names_and_shapes(row):
    pc, other = dy.ParameterCollection(), dy.ParameterCollection()
    builder = make(row, pc)
    row.kind.from_spec(builder.spec, other)
    shapes = [{n: p.shape() for n, p in named_parameters(c).items()} for c in (pc, other)]
    assert shapes[0] == shapes[1]


@every_row
def test_every_parameter_lies_in_the_builders_own_named_collection(row):
    pc = dy.ParameterCollection()
    builder = make(row, pc)
    own = named_parameters(builder.param_collection())
    assert set(own) == set(named_parameters(pc))
    assert all(name.startswith(f"/{row.kind.NAME}/") for name in own)


@every_row
def test_every_parameter_gets_a_gradient(row):
    pc = dy.ParameterCollection()
    builder = make(row, pc)
    asymmetric(row.output(builder, 3, 2)).backward()
    for name, p in named_parameters(pc).items():
        assert np.abs(p.grad_as_array()).max() > 0, name


@every_row
def test_two_graphs_in_a_row_give_equal_results(row):
    pc = dy.ParameterCollection()
    builder = make(row, pc)
    first = read(row.output(builder, 3, 2))
    dy.renew_cg()
    np.testing.assert_array_equal(read(row.output(builder, 3, 2)), first)


@every_row
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (1, 3), (4, 1)])
def test_one_step_and_one_batch_entry_work(row, steps, batch):
    pc = dy.ParameterCollection()
    assert np.isfinite(read(row.output(make(row, pc), steps, batch))).all()


@every_row
def test_no_expression_of_a_graph_is_kept(row):
    pc = dy.ParameterCollection()
    builder = make(row, pc)
    before = dict(vars(builder))
    read(row.output(builder, 2, 2))
    assert list(vars(builder)) == list(before)
    assert all(vars(builder)[name] is value for name, value in before.items())
    assert not any(type(value) is dy.Expression for value in vars(builder).values())

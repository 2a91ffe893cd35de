# `make` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/lm
# the trained vectors of exp-lsh-rank: a run of scripts/lm.py, and a text for it
LSH_MODEL ?= runs/lsh-model
LSH_TEXT ?= data/toy/test.txt
.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

.venv/installed: setup.cfg setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[plot,dev]'
	@# a self-built engine is kept: the wheel is for those who have none
	$(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("_dynet") is None)' \
		|| $(BIN)/python -m pip install --quiet --editable '.[cpu]'
	touch $@

.PHONY: install
install: .venv/installed  ## make .venv with everything, the CPU engine included

.PHONY: lm
lm: install  ## train the LSTM language model on the bundled toy language (OUT=runs/lm)
	$(BIN)/python scripts/lm.py train --preset toy --out $(OUT)

.PHONY: test
test: install  ## run all tests
	$(BIN)/python -m pytest

.PHONY: lint
lint: install  ## ruff
	$(BIN)/ruff check dynotes scripts tests
	$(BIN)/ruff format --check dynotes scripts tests

.PHONY: types
types: install  ## mypy
	$(BIN)/mypy

.PHONY: data
data: install  ## download and verify what may be downloaded (DYNOTES_DATA=DIR, default ../shared/data)
	$(BIN)/python -m dynotes.corpora.datasets

.PHONY: toy
toy: install  ## regenerate data/toy
	$(BIN)/python -m dynotes.corpora.make_toy --out data/toy

.PHONY: bench-lm
bench-lm: install  ## training tokens/s beside PyTorch on the same cores
	test -n "$$DYNOTES_TORCH_PYTHON" || $(BIN)/python -c 'import torch' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python scripts/bench/lm.py

.PHONY: bench-workers
bench-workers: install  ## an epoch of Penn Treebank with one process, with summed gradients, with Hogwild
	$(BIN)/python scripts/bench/lm.py --rounds 0 --hogwild --corpus ptb_lm

.PHONY: bench-softmax
bench-softmax: install  ## the adaptive softmax beside PyTorch's, alone and in a language model
	test -n "$$DYNOTES_TORCH_PYTHON" || $(BIN)/python -c 'import torch' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python scripts/bench/softmax.py

.PHONY: bench-clusters
bench-clusters: install  ## predicted and measured time of cut-offs of the adaptive softmax
	$(BIN)/python scripts/bench/softmax_clusters.py

.PHONY: word2vec
word2vec: install  ## train word vectors on the bundled toy language (OUT=runs/word2vec)
	$(BIN)/python scripts/word2vec.py train --preset toy --out $(if $(filter-out runs/lm,$(OUT)),$(OUT),runs/word2vec)

.PHONY: bench-word2vec
bench-word2vec: install  ## word2vec beside gensim on 17 M words, two workers, 1 and 5 epochs; memory
	test -n "$$DYNOTES_GENSIM_PYTHON" || $(BIN)/python -c 'import gensim' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --editable '.[bench]'
	for epochs in 1 5; do \
		$(BIN)/python scripts/bench/word2vec.py --corpus large --processes 2 --rounds 1 --epochs $$epochs || exit; \
	done
	$(BIN)/python scripts/bench/word2vec_memory.py

.PHONY: parser
parser: install  ## train a dependency parser on the bundled toy treebank (OUT=runs/parser)
	$(BIN)/python scripts/parser.py train --preset toy --out $(if $(filter-out runs/lm,$(OUT)),$(OUT),runs/parser)

.PHONY: classify
classify: install  ## train the fastText classifier on the bundled toy language (OUT=runs/classify)
	$(BIN)/python scripts/classify.py train --preset toy --out $(if $(filter-out runs/lm,$(OUT)),$(OUT),runs/classify)

.PHONY: exp-classify
exp-classify: install  ## the fastText classifier on Subj, MR, TREC and cooking, 3 seeds
	$(BIN)/python scripts/experiments/classify.py --out runs/exp-classify

.PHONY: dynet-native
dynet-native: .venv/installed  ## build DyNet for this CPU with OpenBLAS (needs compilers, Eigen, OpenBLAS)
	PYTHON=$(BIN)/python sh scripts/build_dynet.sh

.PHONY: exp-lm-zaremba exp-lm-tied exp-lm-hour
exp-lm-zaremba: install  ## 2x200 without dropout, 13 epochs, Penn Treebank
	$(BIN)/python scripts/lm.py train --corpus ptb_lm --preset zaremba-small --out runs/zaremba-small
exp-lm-tied: install  ## 1x128 untied and tied, 10 epochs, Penn Treebank
	$(BIN)/python scripts/lm.py train --corpus ptb_lm --preset tied-128 --out runs/untied-128
	$(BIN)/python scripts/lm.py train --corpus ptb_lm --preset tied-128 --tie --out runs/tied-128
exp-lm-hour: install  ## the best found for one hour on two cores, Penn Treebank
	$(BIN)/python scripts/lm.py train --corpus ptb_lm --preset hour --out runs/hour

.PHONY: exp-softmax-bias exp-softmax-scaling exp-softmax-quality exp-lsh-rank
exp-softmax-bias: install  ## what sampled softmax losses cost: bias of loss and gradient
	$(BIN)/python scripts/experiments/softmax_bias.py --out runs/softmax-bias
exp-softmax-scaling: install  ## time and memory of a step, 1,000 to a million words, every softmax
	$(BIN)/python scripts/experiments/softmax_scaling.py --out runs/softmax-scaling
exp-softmax-quality: install  ## perplexity against training time, every softmax, WikiText-2 (hours)
	$(BIN)/python scripts/experiments/softmax_quality.py --out runs/softmax-quality
exp-lsh-rank: install  ## true rank of the best neighbour that LSH finds, drawn and trained vectors
	test -e $(LSH_MODEL)/model.safetensors \
		|| $(BIN)/python scripts/lm.py train --preset toy --out $(LSH_MODEL)
	$(BIN)/python scripts/experiments/lsh_rank.py --model $(LSH_MODEL) --text $(LSH_TEXT) \
		--out runs/lsh-rank

.PHONY: exp-subword
exp-subword: install  ## skip-gram with and without n-grams of characters: analogies, similarity, Brown
	$(BIN)/python scripts/experiments/subword.py --out runs/subword

.PHONY: exp-paragraphs
exp-paragraphs: install  ## paragraph vectors on Subj, MR and TREC beside bags of words
	$(BIN)/python scripts/experiments/paragraphs.py --out runs/paragraphs

.PHONY: exp-context2vec exp-c2w
exp-context2vec: install  ## words in the gaps of sentences: context2vec beside CBOW, Brown
	$(BIN)/python scripts/experiments/slot_filling.py --out runs/slot-filling
exp-c2w: install  ## language models that read words from a table or by their characters, three treebanks
	$(BIN)/python scripts/experiments/c2w.py --out runs/c2w

.PHONY: exp-phrases exp-sembei
exp-phrases: install  ## composed vectors of unseen phrases: tensor indexing, linear, additive
	$(BIN)/python scripts/experiments/phrase_composition.py --out runs/phrases
exp-sembei: install  ## n-grams of a text without spaces beside a poor segmentation
	$(BIN)/python scripts/experiments/segmentation_free.py --out runs/sembei

.PHONY: exp-pos-probe exp-window-size exp-composition
exp-pos-probe: install  ## part-of-speech tagging by frozen vectors, models with and without positions
	$(BIN)/python scripts/experiments/pos_probe.py --out runs/pos-probe --test
exp-window-size: install  ## small windows against large ones: syntax and topics, equal pairs
	$(BIN)/python scripts/experiments/window_size.py --out runs/window-size
exp-composition: install  ## contexts of sums of word vectors against those of both words
	$(BIN)/python scripts/experiments/composition.py --out runs/composition

.PHONY: clean
clean:  ## remove the virtual environment and caches, not the runs
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

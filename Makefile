# make run     one real call, end to end, on this machine
# make test    every test that needs nothing but Python
# make help    the rest

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Google is the default recogniser, and needs an account; Whisper needs none.
FF_STT_PROVIDER ?= whisper
# Some images forbid it; each of the commands that tests run, hundreds of them, would then compile Slukh anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run talk test test-servers test-asterisk check format weights docs bench constraints clean

help:
	@echo "make run            a recorded call through a real server (CALL=FILE LANGUAGE=ru-RU for another)"
	@echo "make talk           a Russian caller orders tyres from a script with a voice (CALL, LANGUAGE as above)"
	@echo "make test           unit and integration tests"
	@echo "make test-servers   the Whisper client against five real servers, six faults each (2.5 GB once)"
	@echo "make test-asterisk  fifty SIP calls through a real Asterisk (root, a Debian mirror)"
	@echo "make check          ruff and mypy"
	@echo "make weights        fetch Silero and Whisper base into the user's cache"
	@echo "make docs           rebuild the generated documents"
	@echo "make bench          the numbers of doc/benchmarks.md (long)"
	@echo "make constraints    pin the newest dependencies anew"

.venv/installed: constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is older; set PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

weights: .venv/installed
	@$(BIN)/slukh weights get silero base

run: CALL ?= examples/calls/tyre-shop-uk.wav
run: LANGUAGE ?= uk-UA
run: weights
	@FF_STT_PROVIDER=$(FF_STT_PROVIDER) $(BIN)/slukh call $(CALL) --language $(LANGUAGE) --with-server

# The caller is answered until their tyres are ordered: a script and eSpeak, without an account.
talk: CALL ?= examples/calls/tyre-order-ru.wav
talk: LANGUAGE ?= ru-RU
talk: weights
	@FF_STT_PROVIDER=$(FF_STT_PROVIDER) SLUKH_DIALOG=examples/dialog/tyre-shop.yaml $(BIN)/slukh call $(CALL) \
		--language $(LANGUAGE) --interactive --with-server

# Two at once, for a machine with two cores; whoever is done first takes half of what the other has left.
test: weights
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-servers: weights
	$(BIN)/pytest tests/servers

test-asterisk: .venv/installed
	$(BIN)/pytest --capture=no tests/asterisk

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/installed
	$(BIN)/python -m tests.documents

# Hours; each prints a table, and each can be run alone: doc/benchmarks.md says with what.
bench: weights
	@for each in media_path resampler vad local_whisper silence soak failover google_streams canonical \
		experiment_simulations gate_simulations verdict_simulations prompt_caching phrases talking pacing ledger whisper_servers; do \
		echo; echo "bench/$$each.py"; $(BIN)/python bench/$$each.py || exit 1; done

constraints: .venv/installed
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --upgrade --generate-hashes \
		--no-header --no-annotate --no-emit-index-url pyproject.toml --output-file constraints.txt

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := demo
CLIPS := examples/clips

.PHONY: help install demo test test-slow lint format bench build clean

help:
	@echo "make demo    install into .venv, prune and answer about three clips, draw what was kept"
	@echo "make test    the tests (minutes); make test-slow: the slower ones"
	@echo "make lint    ruff and mypy"
	@echo "make bench   speed of planning and prefill, as ratios"
	@echo "make build   wheel and sdist"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@mkdir -p $(DEMO)
	$(BIN)/contextguard ask $(CLIPS)/split.mp4 "What color is the moon?" --picture $(DEMO)/split.png
	$(BIN)/contextguard ask $(CLIPS)/split.mp4 "What color is the moon?" --method full
	$(BIN)/contextguard ask $(CLIPS)/slides.mp4 "Which digit is shown last?" --tau-merge 1 --picture $(DEMO)/slides.png
	$(BIN)/contextguard inspect $(CLIPS)/bigbuckbunny_short.mp4 -o $(DEMO)/bigbuckbunny.png
	@echo "Pictures of what was kept: $(DEMO)/*.png"

test: $(INSTALLED)
	$(BIN)/python -m pytest

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

build: $(INSTALLED)
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf .venv dist build $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis

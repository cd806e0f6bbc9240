# `make` lists the targets. Python comes from the active environment.
.DEFAULT_GOAL := help
.PHONY: help install lint format test test-all docs gate

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

install: ## Install s2tf with its tests and docs, in the tested versions
	pip install -e ".[test,docs]" -c constraints.txt

lint: ## Check style, format and types
	ruff check .
	ruff format --check .
	mypy

format: ## Write files in the project's format
	ruff check --fix .
	ruff format .

test: ## Run the fast tests, on all cores
	pytest

test-all: ## Run all tests, the slow ones too
	pytest --slow --ignore tests/cluster_live
	pytest --slow tests/cluster_live --numprocesses 0

docs: ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

gate: ## Do all of it in a fresh environment, as the gate does
	.ci/run

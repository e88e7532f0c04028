.PHONY: demo test check
PYTHON ?= python3

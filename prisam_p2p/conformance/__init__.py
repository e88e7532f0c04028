"""Runs an algorithm of users' own on a small network, and tells what is wrong with it."""

"""An experiment: a grid of runs from one file, and the tables and figures made of them."""

"""Commands whose work is done in rooms far below: parse, call one function, print, exit code."""

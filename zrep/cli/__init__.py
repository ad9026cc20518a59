"""The command line: parse, build a request, call one function of the engine, render."""

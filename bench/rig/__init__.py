"""Starts servers, loads them and compares what they cost. Used by bench/run."""

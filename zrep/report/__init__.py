"""Rendering: model values to tables for people and to plain structures for JSON. Pure."""

"""Typed, torch-free settings; one module a stage, so that a script depends only on the settings it reads."""

"""Describing datasets: the overview picture and the data card."""

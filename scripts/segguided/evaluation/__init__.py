"""Measures of images (Dice, distances, likeness, variation), and the records that tables are made from."""

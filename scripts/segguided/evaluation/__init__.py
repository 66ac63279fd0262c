"""Measuring images and segmenters; a change here generates nothing."""

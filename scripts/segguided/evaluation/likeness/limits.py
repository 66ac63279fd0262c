"""The highest value of measures that are 1 for real images: what is far too much need not be told apart.

So a patient's value has bounds, without which no interval of the mean holds.
"""

MOST = 1.5

"""Names that tables, files and arguments use beside the user's own: no class and no model may have them."""

REAL = "real"  # among the models: the real images
MACRO = "macro"  # among the classes: the mean over all of them
FULL = "all"  # among the sets of classes that a mask keeps: the whole mask

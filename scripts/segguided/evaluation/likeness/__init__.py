"""How like real images a set of generated images is, beyond Dice: diversity, spectrum, features (Table 3)."""

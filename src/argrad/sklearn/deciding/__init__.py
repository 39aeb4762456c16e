"""How many penalties the data can bear, decided before the search."""

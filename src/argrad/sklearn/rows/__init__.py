"""The rows of a search: checked, weighted, split into folds."""

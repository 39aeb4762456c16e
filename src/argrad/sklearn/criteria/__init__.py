"""The cross-validation loss of each family of models, and its derivatives."""

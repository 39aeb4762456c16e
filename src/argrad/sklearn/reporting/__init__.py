"""What a search tells: scores, results, pictures, loggers, tasks of scikit-learn."""

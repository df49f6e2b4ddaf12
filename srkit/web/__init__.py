"""The page of srkit serve."""

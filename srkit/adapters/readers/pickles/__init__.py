"""Reading pickles as data: nothing that they ask for is run."""

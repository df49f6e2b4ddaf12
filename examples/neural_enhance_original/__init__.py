"""neural-enhance trained on Theano and Lasagne as its own program does: as proof, not for use."""

"""What training pairs are made of: kernels, degradations, and the photos to measure on."""

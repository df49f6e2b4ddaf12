"""What training starts from: bicubic for each architecture, other scales, deeper networks."""

"""What is learned from: photos, how they are made poor, and what teachers make of them."""

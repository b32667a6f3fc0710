"""Our own small encoder: the network, its shipped weights, and the program that trained them."""

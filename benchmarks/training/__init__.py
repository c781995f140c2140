"""Networks trained on images: classifiers and students by one loop, and WGAN-GP."""

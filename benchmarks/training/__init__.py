"""Networks trained on real or on synthetic images, all by one loop."""

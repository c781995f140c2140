"""Networks trained on real images: one loop for teachers, students and what later tables train."""

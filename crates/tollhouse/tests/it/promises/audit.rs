//! What is written down of every change, and that nobody can rewrite it unseen.

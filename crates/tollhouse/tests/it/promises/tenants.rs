//! A merchant account is a wall.

//! A payment service that hangs or fails, and everybody else.

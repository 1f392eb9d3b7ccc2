//! What strangers see, and what they can do to a listener.

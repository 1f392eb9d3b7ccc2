//! Test equipment: the real server on port 0, a payment service that misbehaves on demand, typed callers.

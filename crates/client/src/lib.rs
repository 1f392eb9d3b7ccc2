//! Typed client for the Tollhouse and Gr4vy API.

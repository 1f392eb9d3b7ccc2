//! The wire: router, extractors, wire types, errors to responses, OpenAPI.

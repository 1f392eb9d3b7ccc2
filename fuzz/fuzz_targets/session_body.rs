//! Looks for inputs that break `fuzzing::session_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::session_body(bytes);
});

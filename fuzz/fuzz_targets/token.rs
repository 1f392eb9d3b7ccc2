//! Looks for inputs that break `fuzzing::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::token(bytes);
});

//! Looks for inputs that break `fuzzing::definition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::definition(bytes);
});

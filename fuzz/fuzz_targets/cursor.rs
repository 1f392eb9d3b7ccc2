//! Looks for inputs that break `fuzzing::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::cursor(bytes);
});

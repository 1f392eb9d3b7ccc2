//! Looks for inputs that break `fuzzing::url_guard`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::url_guard(bytes);
});

#![no_main]
//! See [`fuzz::backend`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::backend(input));

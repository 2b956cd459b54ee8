#![no_main]
//! See [`fuzz::framing`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::framing(input));

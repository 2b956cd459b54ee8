#![no_main]
//! See [`fuzz::engine`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::engine(input));

#![no_main]
//! See [`fuzz::database`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::database(input));

#![no_main]
//! See [`fuzz::admin`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::admin(input));

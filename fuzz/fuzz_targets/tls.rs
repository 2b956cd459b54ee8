#![no_main]
//! See [`fuzz::tls`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::tls(input));

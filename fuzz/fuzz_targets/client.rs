#![no_main]
//! See [`fuzz::client`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::client(input));

#![no_main]
//! See [`fuzz::secret`].

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::secret(input));

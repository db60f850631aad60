//! A session under whatever a client does and an application wants: no panic, every request answered once, every message sent once and in
//! order, nothing over the bounds, and a payload the same wherever it is cut.
#![no_main]

#[path = "../../tests/gateway/engineio/drive.rs"]
mod drive;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drive::drive(data));

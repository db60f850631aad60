//! A connection under whatever a client sends and an application does: no panic, nothing over the bounds, every ack had or given up once, and every
//! packet written as it was read.
#![no_main]

#[path = "../../tests/gateway/socketio/drive.rs"]
mod drive;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drive::drive(data));

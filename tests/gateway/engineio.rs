//! The Engine.IO protocol, version 4: sessions over polling and WebSocket.

#[path = "engineio/anything.rs"]
mod anything;
#[path = "engineio/bounds.rs"]
mod bounds;
#[path = "engineio/codec.rs"]
mod codec;
#[path = "engineio/drive.rs"]
mod drive;
#[path = "engineio/handshake.rs"]
mod handshake;
#[path = "engineio/instants.rs"]
mod instants;
#[path = "engineio/reference.rs"]
mod reference;
#[path = "engineio/script.rs"]
pub mod script;
#[path = "engineio/transcripts.rs"]
pub mod transcripts;

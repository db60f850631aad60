//! The Socket.IO protocol, version 5: packets in Engine.IO messages.

#[path = "socketio/anything.rs"]
mod anything;
#[path = "socketio/connections.rs"]
mod connections;
#[path = "socketio/drive.rs"]
mod drive;
#[path = "socketio/packets.rs"]
pub mod packets;
#[path = "socketio/recovery.rs"]
mod recovery;
#[path = "socketio/transcripts.rs"]
pub mod transcripts;

//! The gateway's protocols: `cargo test --features gateway --test gateway`.

#[path = "gateway/engineio.rs"]
mod engineio;
#[path = "gateway/http.rs"]
mod http;
#[path = "gateway/nats.rs"]
mod nats;
#[path = "gateway/socketio.rs"]
mod socketio;
#[path = "gateway/websocket.rs"]
mod websocket;

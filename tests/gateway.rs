//! The gateway's protocols, and the server: `cargo test --features cli --test gateway`.

#[path = "gateway/engineio.rs"]
mod engineio;
#[path = "gateway/http.rs"]
mod http;
#[path = "gateway/nats.rs"]
mod nats;
#[path = "gateway/packages.rs"]
mod packages;
// It runs the program.
#[cfg(feature = "cli")]
#[path = "gateway/serve.rs"]
mod serve;
#[path = "gateway/socketio.rs"]
mod socketio;
#[path = "gateway/websocket.rs"]
mod websocket;

//! Queues over sockets, for programs that cannot map memory: browsers, scripts, other machines.
//!
//! The protocols are state machines over bytes: what came in goes in, what is to be sent comes out, and time is a parameter. They know neither sockets nor
//! queues nor the clock. The [`server`] brings them to sockets and queues, as its [`config`] says; `slipring serve` is that server.

pub mod config;
pub mod engineio;
pub mod http;
pub mod nats;
pub mod server;
pub mod socketio;
pub mod websocket;

//! What a gateway is told: defaults, then a file, the environment and flags, each over the one before.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

mod clients;

pub use clients::Client;

/// More than that for one message is a mistake.
const MOST: usize = 1 << 30;

/// A gateway's settings. In a file each is `name = value`, in the environment `SLIPRING_NAME`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The address and port of HTTP and WebSocket; port 0 takes a free one. Default `127.0.0.1:7117`.
    pub listen: String,
    /// The path of a Unix socket for the same, beside it; empty for none. Default empty.
    pub listen_unix: String,
    /// The file with the certificates, PEM, the server's own first, with which `listen` is TLS; empty for none. Default empty.
    pub certificate: String,
    /// The file with the key of the certificate, PEM. Default empty.
    pub key: String,
    /// The address and port of NATS, `127.0.0.1:4222` say; empty for none. Default empty.
    pub nats: String,
    /// The path of a Unix socket for NATS; empty for none. Default empty.
    pub nats_unix: String,
    /// What clients have to show; empty for no such demand. Default empty.
    pub token: String,
    /// Who else may do what. In a file each is a table, `[[clients]]`. Default none.
    #[serde(skip)]
    pub clients: Vec<Client>,
    /// Listen beyond loopback without a token. Default false.
    pub insecure: bool,
    /// Origins whose pages may use this server, beside its own: `https://example.com`; `*` stands for all. Default none.
    pub origins: Vec<String>,
    /// Names by which clients call this server, beside addresses and `localhost`. Default none.
    pub hosts: Vec<String>,
    /// UDP sockets whose datagrams become messages: `ADDRESS:PORT=QUEUE`, or `ADDRESS:PORT=QUEUE/EVENT`. Default none.
    pub udp: Vec<String>,
    /// Bytes of datagrams for which the kernel is asked to have room, at each of them; 0 for its own measure. Default 4 MiB.
    pub udp_buffer: usize,
    /// By which name gateways know that they serve the same place; empty for their address. Default empty.
    pub turn: String,
    /// Bytes of a message. Default 1 MiB.
    pub payload: usize,
    /// Frames that a WebSocket message may come in. Default 16384.
    pub fragments: usize,
    /// Bytes of a request's head. Default 8 KiB.
    pub head: usize,
    /// Bytes that wait to be sent to a client before no more are read from the queue for it. Default 256 KiB.
    pub out_queue: usize,
    /// Bytes of live messages, which no queue holds, that may wait for a NATS client before it is cut off. Default 8 MiB.
    pub live_queue: usize,
    /// Subscriptions of one NATS client. Default 4096.
    pub subscriptions: usize,
    /// Connections at once. Default 1000.
    pub connections: usize,
    /// Connections at once from one address. Default 256.
    pub connections_per_address: usize,
    /// Bytes that a client may send in a second; 0 for any number. Default 0.
    pub bytes_per_second: usize,
    /// Messages, or requests, that a client may send in a second; 0 for any number. Default 0.
    pub messages_per_second: usize,
    /// Messages that a WebSocket client may hold without an ack. Default 16.
    pub window: usize,
    /// Ids of messages that are remembered of each queue, so that none of them is sent twice. Default 65536.
    pub ids: usize,
    /// Seconds after which a message that was pulled and not settled goes back. Default 30.
    pub ack_seconds: u64,
    /// Seconds that a request's head may take. Default 10.
    pub handshake_seconds: u64,
    /// Seconds without a sign of life after which a connection is closed. Default 60.
    pub idle_seconds: u64,
    /// The queue that is Socket.IO's namespace `/`; empty for none. Default empty.
    pub default_queue: String,
    /// Milliseconds between the pings that Engine.IO clients are sent. Default 25000.
    pub ping_interval_ms: u64,
    /// Milliseconds in which they have to answer. Default 20000.
    pub ping_timeout_ms: u64,
    /// Milliseconds in which a Socket.IO client has to join a namespace. Default 45000.
    pub connect_timeout_ms: u64,
    /// Seconds for which the rooms of a Socket.IO client that has gone are kept. Default 120.
    pub recovery_seconds: u64,
    /// Seconds that clients have to finish when the gateway is told to end. Default 5.
    pub drain_seconds: u64,
    /// Not the queues, but what the test suites of Engine.IO, Socket.IO and WebSocket want of a server.
    #[serde(skip)]
    pub echo: bool,
}

impl Config {
    /// Whether it is TLS that is spoken at `listen`.
    pub fn is_secure(&self) -> bool {
        !self.certificate.is_empty()
    }

    /// Whether clients have to show a token.
    pub fn asks_for_tokens(&self) -> bool {
        !self.token.is_empty() || !self.clients.is_empty()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7117".into(),
            listen_unix: String::new(),
            certificate: String::new(),
            key: String::new(),
            nats: String::new(),
            nats_unix: String::new(),
            token: String::new(),
            clients: Vec::new(),
            insecure: false,
            origins: Vec::new(),
            hosts: Vec::new(),
            udp: Vec::new(),
            udp_buffer: 4 << 20,
            turn: String::new(),
            payload: 1 << 20,
            fragments: 16_384,
            head: 8 << 10,
            out_queue: 256 << 10,
            live_queue: 8 << 20,
            subscriptions: 4096,
            connections: 1000,
            connections_per_address: 256,
            bytes_per_second: 0,
            messages_per_second: 0,
            window: 16,
            ids: 65536,
            ack_seconds: 30,
            handshake_seconds: 10,
            idle_seconds: 60,
            default_queue: String::new(),
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            connect_timeout_ms: 45_000,
            recovery_seconds: 120,
            drain_seconds: 5,
            echo: false,
        }
    }
}

/// Settings that are being gathered; what comes later counts.
///
/// ```
/// use slipring::gateway::config::Settings;
///
/// let mut settings = Settings::default();
/// settings.file("listen = '127.0.0.1:0'\nwindow = 4")?;
/// settings.set("window", "8")?;
/// let config = settings.finish()?;
/// assert_eq!((config.listen.as_str(), config.window), ("127.0.0.1:0", 8));
/// # Ok::<(), String>(())
/// ```
#[derive(Default)]
pub struct Settings(Table);

impl Settings {
    /// Takes what a TOML file says.
    pub fn file(&mut self, text: &str) -> Result<(), String> {
        // Not the error's own text: it quotes the line, and there may be a token in it.
        let named = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
            format!("line {line}: {}", error.message())
        };
        self.0.extend(text.parse::<Table>().map_err(named)?);
        Ok(())
    }

    /// Takes what the environment says; variables that are no settings are left alone.
    pub fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), String> {
        let known = defaults();
        for (name, value) in variables {
            let setting = name.strip_prefix("SLIPRING_").map(str::to_ascii_lowercase);
            if let Some(setting) = setting.filter(|setting| known.contains_key(setting)) {
                self.set(&setting, &value).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    /// Takes one setting as a text: lists have commas.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let known = defaults();
        let value = match known.get(name) {
            Some(Value::String(_)) => Value::String(text.into()),
            Some(Value::Boolean(_)) => {
                Value::Boolean(text.parse().map_err(|_| format!("{name}: use true or false"))?)
            }
            Some(Value::Array(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.into())).collect())
            }
            Some(_) => Value::Integer(text.parse().map_err(|_| format!("{name}: use a number"))?),
            None if name == "clients" => return Err("clients: say it in the file".into()),
            None => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                return Err(format!("no setting {name:?}; there are {}", names.join(", ")));
            }
        };
        self.0.insert(name.into(), value);
        Ok(())
    }

    /// The settings, with defaults for what was not said.
    pub fn finish(mut self) -> Result<Config, String> {
        let clients = self.0.remove("clients").map_or(Ok(Vec::new()), clients::parse)?;
        if self.0.get("token").is_some_and(|token| !token.is_str()) {
            return Err("token: use a text in quotes".into());
        }
        let mut config: Config = self.0.try_into().map_err(|error| format!("{error}"))?;
        config.clients = clients;
        clients::check(&config)?;
        if config.certificate.is_empty() != config.key.is_empty() {
            return Err("certificate, key: set both, or none".into());
        }
        let above_zero = [
            ("payload", config.payload),
            ("fragments", config.fragments),
            ("head", config.head),
            ("out_queue", config.out_queue),
            ("subscriptions", config.subscriptions),
            ("connections", config.connections),
            ("connections_per_address", config.connections_per_address),
            ("window", config.window),
            ("ids", config.ids),
        ];
        if let Some((name, _)) = above_zero.iter().find(|(_, value)| *value == 0) {
            return Err(format!("{name}: use a number above 0"));
        }
        let bounded = [("payload", config.payload), ("fragments", config.fragments)];
        match bounded.iter().find(|(_, value)| *value > MOST) {
            Some((name, _)) => Err(format!("{name}: use a number of at most {MOST}")),
            None => Ok(config),
        }
    }
}

fn defaults() -> Table {
    Table::try_from(Config::default()).unwrap_or_default()
}

//! Clients with names, tokens and permissions. No error here shows a value: it may be a token.

use toml::Value;

use super::Config;

/// A client that is known by its token. In a file:
///
/// ```toml
/// [[clients]]
/// name = "shop"
/// token = "..."
/// publish = ["orders*"]
/// subscribe = ["orders", "prices.*"]
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// By which messages to people call it.
    pub name: String,
    /// What it shows.
    pub token: String,
    /// Queues that it may send to; `*` is any run of characters, `?` any one. None if left out.
    pub publish: Vec<String>,
    /// Queues that it may receive from; likewise.
    pub subscribe: Vec<String>,
}

/// The clients of a file.
pub(super) fn parse(value: Value) -> Result<Vec<Client>, String> {
    let Value::Array(tables) = value else {
        return Err("clients: begin each with [[clients]]".into());
    };
    tables.iter().enumerate().map(|(index, table)| client(index + 1, table)).collect()
}

fn client(number: usize, table: &Value) -> Result<Client, String> {
    let what = |text: &str| format!("clients, number {number}: {text}");
    let table = table.as_table().ok_or_else(|| what("begin it with [[clients]]"))?;
    let mut client = Client::default();
    for (key, value) in table {
        match key.as_str() {
            "name" | "token" => {
                let text = value.as_str().ok_or_else(|| what("use texts in quotes"))?;
                let place = if key == "name" { &mut client.name } else { &mut client.token };
                *place = text.to_owned();
            }
            "publish" | "subscribe" => {
                let list = value.as_array().and_then(|list| list.iter().map(text).collect());
                let list = list.ok_or_else(|| what("publish, subscribe: use lists of texts"))?;
                *if key == "publish" { &mut client.publish } else { &mut client.subscribe } = list;
            }
            _ => return Err(what("there are name, token, publish and subscribe")),
        }
    }
    Ok(client)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Each needs a name and a token of its own.
pub(super) fn check(config: &Config) -> Result<(), String> {
    for (index, client) in config.clients.iter().enumerate() {
        if client.name.is_empty() || client.token.is_empty() {
            return Err(format!("clients, number {}: it needs a name and a token", index + 1));
        }
        let before = config.clients.iter().take(index);
        if before.clone().any(|other| other.name == client.name) {
            return Err(format!("clients: {:?} is there twice", client.name));
        }
        let mut tokens = before.map(|other| &other.token).chain([&config.token]);
        if tokens.any(|token| *token == client.token) {
            return Err(format!("clients: {:?} has the token of another one", client.name));
        }
    }
    Ok(())
}

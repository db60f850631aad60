//! What a client says of itself in CONNECT.

use std::fmt;

use serde_json::Value;

/// A client's options. Until it has sent CONNECT, it is verbose and pedantic and hears its own messages, as with the reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// Each operation is answered with `+OK`.
    pub verbose: bool,
    /// Subjects that are published to are checked.
    pub pedantic: bool,
    /// The client gets its own messages too, where it has subscribed to them.
    pub echo: bool,
    /// The client understands HMSG and may send HPUB.
    pub headers: bool,
    /// A request that nobody will answer is answered with status 503.
    pub no_responders: bool,
    /// 0, or 1 for a client that takes further INFO at any time.
    pub protocol: i64,
    /// User name.
    pub user: String,
    /// Password.
    pub pass: String,
    /// Token, instead of user and password.
    pub auth_token: String,
    /// The client's name for itself.
    pub name: String,
    /// The language of its library.
    pub lang: String,
    /// The version of its library.
    pub version: String,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            user: String::new(),
            pass: String::new(),
            auth_token: String::new(),
            name: String::new(),
            lang: String::new(),
            version: String::new(),
        }
    }
}

/// Without the secrets.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("user", &self.user)
            .field("name", &self.name)
            .field("lang", &self.lang)
            .field("version", &self.version)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// A value of a type that an option does not have.
struct WrongType;

impl Connect {
    /// Takes over what the JSON text says; what it does not name, stays. `false` for text that is no JSON object or has a value of a wrong type.
    pub(super) fn apply(&mut self, json: &[u8]) -> bool {
        match serde_json::from_slice(json) {
            Ok(Value::Object(fields)) => {
                fields.into_iter().all(|(name, value)| self.set(&name, value).is_ok())
            }
            Ok(Value::Null) => true,
            _ => false,
        }
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), WrongType> {
        match name.to_ascii_lowercase().as_str() {
            "verbose" => flag(&mut self.verbose, value),
            "pedantic" => flag(&mut self.pedantic, value),
            "echo" => flag(&mut self.echo, value),
            "headers" => flag(&mut self.headers, value),
            "no_responders" => flag(&mut self.no_responders, value),
            "protocol" => number(&mut self.protocol, value),
            "user" => text(&mut self.user, value),
            "pass" => text(&mut self.pass, value),
            "auth_token" => text(&mut self.auth_token, value),
            "name" => text(&mut self.name, value),
            "lang" => text(&mut self.lang, value),
            "version" => text(&mut self.version, value),
            _ => Ok(()),
        }
    }
}

fn flag(option: &mut bool, value: Value) -> Result<(), WrongType> {
    match value {
        Value::Bool(value) => *option = value,
        Value::Null => {}
        _ => return Err(WrongType),
    }
    Ok(())
}

fn number(option: &mut i64, value: Value) -> Result<(), WrongType> {
    if !value.is_null() {
        *option = value.as_i64().ok_or(WrongType)?;
    }
    Ok(())
}

fn text(option: &mut String, value: Value) -> Result<(), WrongType> {
    match value {
        Value::String(value) => *option = value,
        Value::Null => {}
        _ => return Err(WrongType),
    }
    Ok(())
}

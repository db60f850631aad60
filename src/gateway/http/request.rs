//! A request, as it lies in the client's bytes.

use std::borrow::Cow;

use super::{Error, Reply};

/// What the client wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read, without the body.
    Head,
    /// Add.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Ask what is allowed: a browser's preflight.
    Options,
    /// Anything else.
    Other,
}

impl Method {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// How the length of a request's body is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Its chunks say it.
    Chunked,
}

/// A request. It borrows from what was received: copy what the answer needs before the parser goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// With what: from the first slash to the question mark, as it was sent; see [`Request::decoded_path`]. `*` for a server as a whole (OPTIONS).
    pub path: &'a str,
    /// What follows the question mark, as it was sent; see [`Request::param`].
    pub query: Option<&'a str>,
    /// By which name the server was called: `host` or `host:port`. Only HTTP/1.0 goes without.
    pub host: Option<&'a [u8]>,
    /// What follows.
    pub body: Body,
    /// The client will use the connection again.
    pub keep_alive: bool,
    /// The client waits for [`CONTINUE`](super::CONTINUE), or for a refusal, before it sends the body.
    pub expects_continue: bool,
    /// The client speaks HTTP/1.1, and not 1.0.
    pub http_1_1: bool,
    /// The lines of the header fields, each with its end. The parser has been over them.
    pub(super) fields: &'a [u8],
}

impl<'a> Request<'a> {
    /// The header fields in their order, names as they were sent, values without the space around them.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let lines = self.fields.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// The value of the first field of a name, in upper or lower case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The words of all fields of a name, which are lists with commas.
    pub fn tokens<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'a [u8]> + 'r {
        let fields = self.headers().filter(move |(have, _)| have.eq_ignore_ascii_case(name));
        fields.flat_map(|(_, value)| tokens(value))
    }

    /// Whether a word, in upper or lower case, is among the [`tokens`](Self::tokens).
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|have| have.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The path without percent-encoding.
    pub fn decoded_path(&self) -> Cow<'a, str> {
        decode(self.path, false).unwrap_or(Cow::Borrowed(self.path))
    }

    /// The query's names and values, decoded.
    pub fn params(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        let pairs = self.query.into_iter().flat_map(|query| query.split('&'));
        pairs.filter(|pair| !pair.is_empty()).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
    }

    /// The value of the first parameter of a name.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// How the answer is to be written; it may be kept until then.
    pub fn reply(&self) -> Reply {
        Reply {
            http_1_1: self.http_1_1,
            without_body: self.method == Method::Head,
            keep_alive: self.keep_alive,
        }
    }
}

/// The words of a list with commas.
pub(super) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// What a request is about.
pub(super) struct Target<'a> {
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// In the form for proxies, which every server has to understand.
    pub(super) authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn parse(target: &'a str, method: Method) -> Result<Self, Error> {
        let mut this = Self { path: target, query: None, authority: None };
        if target == "*" && method == Method::Options {
            return Ok(this);
        }
        if let Some((scheme, rest)) = target.split_once("://")
            && ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
        {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (this.authority, this.path) = (Some(&rest[..end]), &rest[end..]);
        } else if !target.starts_with('/') {
            return Err(Error::bad("a target without a path"));
        }
        if let Some((path, query)) = this.path.split_once('?') {
            (this.path, this.query) = (path, Some(query));
        }
        if this.path.is_empty() {
            this.path = "/";
        }
        let query = this.query.unwrap_or_default();
        if target.contains('#')
            || decode(this.path, false).is_none()
            || decode(query, true).is_none()
        {
            return Err(Error::bad("a target that is not percent-encoded UTF-8"));
        }
        Ok(this)
    }
}

/// Undoes percent-encoding, and that of spaces in forms. `None` if it is broken, or not of UTF-8.
fn decode(text: &str, plus: bool) -> Option<Cow<'_, str>> {
    let special = |byte: &u8| *byte == b'%' || plus && *byte == b'+';
    if !text.as_bytes().iter().any(special) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

//! Which pages may talk to this server: other origins' scripts are a browser's own idea of a client.

use super::reply::ReplyHead;
use super::request::{Method, Request};

/// Origins, such as `https://example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All there are.
    Any,
    /// These; `null` stands for pages without one, such as files.
    Listed(Vec<String>),
}

impl Default for Origins {
    /// None but the server's own.
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Origins {
    /// Whether an origin is among them.
    pub fn contains(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(list) => {
                list.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin))
            }
        }
    }

    /// Whether a request that does something, such as an upgrade or a POST, may go on: browsers send those from any page without asking first. What names no
    /// origin is no page; pages from this server itself may always.
    pub fn admit(&self, request: &Request) -> bool {
        let mut origins = request.headers().filter(|(name, _)| name.eq_ignore_ascii_case("origin"));
        origins.all(|(_, origin)| self.contains(origin) || is_own(origin, request.host))
    }
}

/// Whether an origin has the name by which the server was called. (Schemes may differ, behind a proxy.)
fn is_own(origin: &[u8], host: Option<&[u8]>) -> bool {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let authority = schemes.iter().find_map(|scheme| origin.strip_prefix(*scheme));
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

/// What browsers are told about other origins' pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages may read answers.
    pub origins: Origins,
    /// They may send cookies and the like.
    pub credentials: bool,
}

impl Cors {
    /// Adds the fields that let the page of an origin (the request's `Origin`) read the answer. No fields while no origins are listed.
    pub fn write<'o>(&self, origin: Option<&[u8]>, head: ReplyHead<'o>) -> ReplyHead<'o> {
        match &self.origins {
            Origins::Any if !self.credentials => {
                return head.header("Access-Control-Allow-Origin", "*");
            }
            Origins::Listed(list) if list.is_empty() => return head,
            _ => {}
        }
        // The answer depends on the origin, also when it is refused: caches must know.
        let head = head.header("Vary", "Origin");
        let Some(origin) = origin.filter(|origin| self.origins.contains(origin)) else {
            return head;
        };
        let head = head.header("Access-Control-Allow-Origin", origin);
        if self.credentials {
            head.header("Access-Control-Allow-Credentials", "true")
        } else {
            head
        }
    }

    /// Whether a request only asks for permission, and is to be answered by [`write_preflight`](Self::write_preflight).
    pub fn is_preflight(request: &Request) -> bool {
        request.method == Method::Options
            && request.header("Origin").is_some()
            && request.header("Access-Control-Request-Method").is_some()
    }

    /// Answers a preflight.
    pub fn write_preflight(&self, request: &Request, out: &mut Vec<u8>) {
        let head = self.write(request.header("Origin"), request.reply().begin(out, 204));
        let head = head
            .header("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
            .header("Vary", "Access-Control-Request-Headers");
        let head = match request.header("Access-Control-Request-Headers") {
            Some(names) => head.header("Access-Control-Allow-Headers", names),
            None => head,
        };
        // Needless after 204, but some browsers have waited for a body without it.
        head.header("Content-Length", "0").empty();
    }
}

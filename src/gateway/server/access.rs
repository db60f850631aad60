//! Who may come in.

use std::hint::black_box;
use std::net::IpAddr;

use super::problem::Problem;
use crate::gateway::config::Config;
use crate::gateway::http::{Cors, Origins, Request};

/// The rules of this server.
pub(super) struct Access {
    pub(super) cors: Cors,
    token: String,
    hosts: Vec<String>,
    /// Only known names are answered to. On loopback this keeps out pages that had their own name point here.
    checks_host: bool,
}

impl Access {
    pub(super) fn new(config: &Config, loopback: bool) -> Self {
        let any = config.origins.iter().any(|origin| origin == "*");
        let origins = if any { Origins::Any } else { Origins::Listed(config.origins.clone()) };
        Self {
            cors: Cors { origins, credentials: false },
            token: config.token.clone(),
            hosts: config.hosts.clone(),
            checks_host: loopback || !config.hosts.is_empty(),
        }
    }

    /// Whether a request may be answered at all.
    pub(super) fn check_origin(&self, request: &Request) -> Result<(), Problem> {
        if self.checks_host && !request.host.is_none_or(|host| self.knows(host)) {
            return Err(Problem::new(403, "this server has another name: see the setting `hosts`"));
        }
        if !self.cors.origins.admit(request) {
            return Err(Problem::new(
                403,
                "pages of this origin are not let in: see the setting `origins`",
            ));
        }
        Ok(())
    }

    /// Whether a request shows the token: in `Authorization`, or in the query, since pages can't set the former for event streams and WebSocket.
    pub(super) fn check_token(&self, request: &Request) -> Result<(), Problem> {
        let bearer = request.header("Authorization").and_then(|value| {
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        });
        let shown = match bearer {
            Some(token) => token.to_vec(),
            None => request.param("access_token").unwrap_or_default().as_bytes().to_vec(),
        };
        if self.token.is_empty() || equal(&shown, self.token.as_bytes()) {
            return Ok(());
        }
        Err(Problem::new(401, "a token is needed: Authorization: Bearer TOKEN"))
    }

    fn knows(&self, host: &[u8]) -> bool {
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let name = match host.rsplit_once(':') {
            // Without a port, the colons are an address's own.
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let name = name.to_ascii_lowercase();
        bare.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }
}

/// Takes the same time wherever they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    a.len() == b.len() && differences == 0
}

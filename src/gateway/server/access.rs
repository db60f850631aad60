//! Who may come in, and do what.

use std::hint::black_box;
use std::net::IpAddr;
use std::rc::Rc;

use super::problem::Problem;
use crate::event_matches;
use crate::gateway::config::{Client, Config};
use crate::gateway::http::{Cors, Origins, Request};

/// The rules of this server.
pub(super) struct Access {
    pub(super) cors: Cors,
    clients: Vec<Rc<Client>>,
    /// What those may do who show nothing, if that is allowed.
    anybody: Option<Rc<Client>>,
    hosts: Vec<String>,
    /// Strangers don't come here.
    pub(super) has_page: bool,
    /// Only known names are answered to. On loopback this keeps out pages that had their own name point here.
    checks_host: bool,
}

impl Access {
    pub(super) fn new(config: &Config, loopback: bool) -> Self {
        let everything = vec!["*".to_owned()];
        let all = Client {
            token: config.token.clone(),
            publish: everything.clone(),
            subscribe: everything,
            ..Client::default()
        };
        let mut clients: Vec<Rc<Client>> = config.clients.iter().cloned().map(Rc::new).collect();
        let all = Rc::new(all);
        if !config.token.is_empty() {
            clients.push(Rc::clone(&all));
        }
        let anybody = (!config.asks_for_tokens()).then_some(all);
        let any = config.origins.iter().any(|origin| origin == "*");
        let origins = if any { Origins::Any } else { Origins::Listed(config.origins.clone()) };
        Self {
            cors: Cors { origins, credentials: false },
            clients,
            anybody,
            hosts: config.hosts.clone(),
            has_page: loopback || config.asks_for_tokens(),
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

    /// What a request may do, by the token that it shows: in `Authorization`, or in the query, since pages can't set the former for event streams and WebSocket.
    pub(super) fn grant(&self, request: &Request) -> Result<Grant, Problem> {
        let bearer = request.header("Authorization").and_then(|value| {
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        });
        let grant = match bearer {
            Some(token) => self.grant_for(token),
            None => {
                let token = request.param("access_token").unwrap_or_default();
                self.grant_for(token.as_bytes())
            }
        };
        grant.ok_or_else(|| Problem::new(401, "a token is needed: Authorization: Bearer TOKEN"))
    }

    /// What the client of a token may do.
    pub(super) fn grant_for(&self, token: &[u8]) -> Option<Grant> {
        let mut found = self.anybody.as_ref();
        // All are looked at, so that the time tells nothing.
        for client in &self.clients {
            if equal(token, client.token.as_bytes()) {
                found = Some(client);
            }
        }
        found.map(|client| Grant(Rc::clone(client)))
    }

    /// Whether a client may do now what it could when it came.
    pub(super) fn still_grants(&self, grant: &Grant) -> bool {
        self.clients.iter().chain(&self.anybody).any(|client| *client == grant.0)
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

/// What a client may do.
#[derive(Clone)]
pub(super) struct Grant(Rc<Client>);

impl Grant {
    /// Whether it may send to a queue.
    pub(super) fn publish(&self, queue: &str) -> Result<(), Problem> {
        self.allow(&self.0.publish, "send to", queue)
    }

    /// Whether it may receive from a queue.
    pub(super) fn subscribe(&self, queue: &str) -> Result<(), Problem> {
        self.allow(&self.0.subscribe, "receive from", queue)
    }

    /// Whether it may receive from all queues.
    pub(super) fn receives_all(&self) -> bool {
        self.0.subscribe.iter().any(|pattern| pattern == "*")
    }

    /// Whether it may see the figures, which are of all queues.
    pub(super) fn see_all(&self) -> Result<(), Problem> {
        let refused = "only who may receive from all queues (*) may see this";
        if self.receives_all() { Ok(()) } else { Err(Problem::new(403, refused)) }
    }

    fn allow(&self, patterns: &[String], what: &str, queue: &str) -> Result<(), Problem> {
        if patterns.iter().any(|pattern| event_matches(pattern, queue)) {
            return Ok(());
        }
        let name = &self.0.name;
        Err(Problem::new(403, format_args!("the client {name} may not {what} this queue")))
    }
}

/// Takes the same time wherever they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    a.len() == b.len() && differences == 0
}

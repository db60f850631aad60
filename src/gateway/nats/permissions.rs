//! What a client may publish and subscribe to.

use super::subject;

/// A client's permissions; the default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects that the client may publish to.
    pub publish: Rules,
    /// Subjects that the client may subscribe to.
    pub subscribe: Rules,
}

/// Patterns of subjects; the default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// One of these is needed; `None` allows all.
    pub allow: Option<Vec<String>>,
    /// None of these, whatever is allowed.
    pub deny: Vec<String>,
}

impl Rules {
    /// Whether a message may be published to this subject.
    pub fn allow_publish(&self, subject: &[u8]) -> bool {
        let matches = |pattern: &String| subject::matches(pattern.as_bytes(), subject);
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(matches))
            && !self.deny.iter().any(matches)
    }

    /// Whether a client may subscribe to this subject. One that is wider than what is denied is allowed; [`Self::deny_delivery`] then filters.
    pub fn allow_subscribe(&self, subject: &[u8]) -> bool {
        let covers = |pattern: &String| subject::covers(pattern.as_bytes(), subject);
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(covers))
            && !self.deny.iter().any(covers)
    }

    /// Whether a message of this subject is kept from the client, though a subscription of its matches.
    pub fn deny_delivery(&self, subject: &[u8]) -> bool {
        self.deny.iter().any(|pattern| subject::matches(pattern.as_bytes(), subject))
    }
}

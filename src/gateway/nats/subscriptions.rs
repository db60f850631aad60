//! A client's subscriptions, by its own ids and by keys that the server uses.

use std::collections::HashMap;

/// Names a subscription of a connection, until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u32);

/// What a client has subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    subject: Box<[u8]>,
    group: Option<Box<[u8]>>,
    sid: Box<[u8]>,
    /// Ends after so many messages; 0: never.
    max: u64,
    delivered: u64,
}

impl Subscription {
    /// The subject, which may have wildcards.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }
    /// The queue group, if it is a member of one.
    pub fn group(&self) -> Option<&[u8]> {
        self.group.as_deref()
    }
    /// The client's id for it.
    pub fn sid(&self) -> &[u8] {
        &self.sid
    }
    /// Messages delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether it ends after a number of messages.
    pub fn has_max(&self) -> bool {
        self.max > 0
    }

    /// Counts messages; whether it was the last.
    pub(super) fn count(&mut self, messages: u64) -> bool {
        self.delivered += messages;
        self.delivered == self.max
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    slots: Vec<Option<Subscription>>,
    free: Vec<u32>,
    keys: HashMap<Box<[u8]>, Key>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
    pub(super) fn contains(&self, sid: &[u8]) -> bool {
        self.keys.contains_key(sid)
    }
    pub(super) fn get(&self, key: Key) -> Option<&Subscription> {
        self.slots.get(key.0 as usize)?.as_ref()
    }
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Subscription> {
        self.slots.get_mut(key.0 as usize)?.as_mut()
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Subscription)> {
        self.slots.iter().zip(0..).filter_map(|(slot, key)| Some((Key(key), slot.as_ref()?)))
    }

    /// Adds one whose id is not in use.
    pub(super) fn insert(
        &mut self,
        subject: &[u8],
        group: Option<&[u8]>,
        sid: &[u8],
    ) -> (Key, &Subscription) {
        let subscription = Subscription {
            subject: subject.into(),
            group: group.map(Into::into),
            sid: sid.into(),
            max: 0,
            delivered: 0,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.keys.insert(sid.into(), Key(slot));
        (Key(slot), self.slots[slot as usize].insert(subscription))
    }

    /// Ends one after `max` messages in all; at once, and then it is returned, if it has had as many.
    pub(super) fn end(&mut self, sid: &[u8], max: u64) -> Option<(Key, Subscription)> {
        let key = *self.keys.get(sid)?;
        let subscription = self.get_mut(key)?;
        if max > subscription.delivered {
            subscription.max = max;
            return None;
        }
        Some((key, self.remove(key)?))
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Subscription> {
        let subscription = self.slots.get_mut(key.0 as usize)?.take()?;
        self.keys.remove(subscription.sid());
        self.free.push(key.0);
        Some(subscription)
    }
}

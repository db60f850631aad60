//! Clients that come back. Where they go on, they know themselves; what is kept here, for a while, is what else they had.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::follower::{Filter, Place};
use crate::Start;
use crate::gateway::socketio::{Offset, Resume};

/// What a client can come back with: nobody else can guess it, and it says where the session began.
pub(super) struct Pid {
    text: String,
    began: Offset,
}

impl Pid {
    pub(super) fn new(secret: &str, began: Offset) -> Self {
        Self { text: format!("{secret}.{began}"), began }
    }

    fn parse(text: &str) -> Option<Self> {
        let (_, began) = text.rsplit_once('.')?;
        Some(Self { text: text.to_owned(), began: began.parse().ok()? })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Where a client goes on in a queue, whose epoch this is, if it can; and its pid.
pub(super) fn place(resume: &Resume, epoch: u64) -> Option<(Pid, Place)> {
    let pid = Pid::parse(&resume.pid).filter(|pid| pid.began.epoch == epoch)?;
    let began = pid.began.position;
    let place = match resume.after {
        // What it saw last may be of an earlier session.
        Some(Ok(offset)) if offset.epoch == epoch && offset.position >= began => {
            Place::After(offset.position)
        }
        None | Some(Ok(_)) => Place::Start(Start::Position(began)),
        Some(Err(_)) => return None,
    };
    Some((pid, place))
}

/// What a client had.
#[derive(Clone, Debug)]
pub(super) struct Had {
    pub(super) sid: String,
    pub(super) filter: Option<Filter>,
}

/// Those who may come back.
pub(super) struct Recovery {
    /// Sessions and the places in them, of clients that look connected.
    here: HashMap<String, (u64, u64)>,
    gone: HashMap<String, (Instant, Had)>,
    order: VecDeque<(Instant, String)>,
    time: Duration,
    most: usize,
}

impl Recovery {
    pub(super) fn new(time: Duration, most: usize) -> Self {
        let (here, gone, order) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { here, gone, order, time, most }
    }

    /// A client is here.
    pub(super) fn enter(&mut self, pid: &str, session: u64, slot: u64) {
        self.here.insert(pid.to_owned(), (session, slot));
    }

    /// A client that is here gets another pid.
    pub(super) fn rename(&mut self, before: &str, after: &str) {
        if let Some(place) = self.here.remove(before) {
            self.here.insert(after.to_owned(), place);
        }
    }

    /// Where a client still seems to be.
    pub(super) fn find(&self, pid: &str) -> Option<(u64, u64)> {
        self.here.get(pid).copied()
    }

    /// A client has gone.
    pub(super) fn leave(&mut self, pid: &str, place: (u64, u64), had: Had) {
        if self.here.get(pid) != Some(&place) {
            return;
        }
        self.here.remove(pid);
        let now = Instant::now();
        let too_old = |order: &VecDeque<(Instant, String)>, now, most| {
            order.front().is_some_and(|(until, _)| *until <= now || order.len() >= most)
        };
        while too_old(&self.order, now, self.most) {
            let Some((until, old)) = self.order.pop_front() else { break };
            // He may have been here again since.
            if self.gone.get(&old).is_some_and(|(at, _)| *at == until) {
                self.gone.remove(&old);
            }
        }
        let until = now + self.time;
        self.gone.insert(pid.to_owned(), (until, had));
        self.order.push_back((until, pid.to_owned()));
    }

    /// What a client had that has come back in time.
    pub(super) fn take(&mut self, pid: &str) -> Option<Had> {
        let (until, had) = self.gone.remove(pid)?;
        (until > Instant::now()).then_some(had)
    }
}

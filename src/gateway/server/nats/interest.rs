//! What a client has subscribed to, as far as queues hold it: readers of queues for plain subscriptions, memberships for queue groups.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::access::Grant;
use super::super::connection::Id;
use super::super::events;
use super::super::feed::Client;
use super::super::follower::{Filter, Follower, Place};
use super::super::groups::Wish;
use super::super::problem::Problem;
use super::super::world::World;
use super::form::Form;
use super::subjects::{self, Wanted};
use crate::gateway::nats::{Connection as Codec, Index, Key, Subscription};
use crate::{Queue, Start};

/// `$SLIPRING.FROM.<where>.<subject>`: a subscription that begins elsewhere, and is told positions.
const FROM: &[u8] = b"$SLIPRING.FROM.";

pub(super) struct Interest {
    /// Plain subscriptions that share a reader for each queue.
    pub(super) shared: Index<Key>,
    pub(super) sources: Vec<Source>,
    /// Sources that there have been: each has a number of its own.
    opened: u64,
    pub(super) memberships: Vec<Membership>,
    /// Which source or membership comes next.
    pub(super) turn: usize,
}

/// A queue that is followed for plain subscriptions.
pub(super) struct Source {
    /// By this the feed knows it.
    pub(super) number: u64,
    pub(super) follower: Follower,
    pub(super) target: Target,
    /// It begins with another queue than the one that the client had read.
    pub(super) is_other: bool,
    pub(super) over: bool,
}

/// What messages of a source are for.
pub(super) struct Target {
    pub(super) queue: String,
    pub(super) id: u128,
    /// One subscription alone, which is told positions.
    pub(super) only: Option<Key>,
    /// Who wants messages of it.
    pub(super) keys: BTreeSet<Key>,
    /// Subscriptions that began after the source, and where.
    pub(super) late: Vec<(Key, u64)>,
    /// How messages are written, if that has been found out.
    pub(super) form: Option<Rc<Form>>,
}

/// A group of a queue that this client is a member of, by one or more subscriptions.
pub(super) struct Membership {
    pub(super) queue: String,
    id: u128,
    name: String,
    filter: String,
    pub(super) group: usize,
    /// The group takes all of the queue, and so do its members.
    pub(super) whole: bool,
    pub(super) keys: Vec<Key>,
    pub(super) over: bool,
}

/// A subscription that a queue is to be read for.
#[derive(Clone, Copy)]
struct Ask<'a> {
    id: Id,
    key: Key,
    pattern: &'a [u8],
    group: Option<&'a str>,
    place: Place,
}

impl<'a> Ask<'a> {
    fn new(
        id: Id,
        key: Key,
        subscription: &'a Subscription,
        start: Start,
    ) -> Result<Self, Problem> {
        let group = subscription.group().map(std::str::from_utf8).transpose();
        let group = group.map_err(|_| Problem::new(400, "the queue group's name is not UTF-8"))?;
        Ok(Self { id, key, pattern: subscription.subject(), group, place: Place::Start(start) })
    }
}

impl Interest {
    pub(super) fn new() -> Self {
        Self {
            shared: Index::default(),
            sources: Vec::new(),
            opened: 0,
            memberships: Vec::new(),
            turn: 0,
        }
    }

    /// A new subscription: it begins with the next message of the queues that are there.
    pub(super) fn add(
        &mut self,
        key: Key,
        subscription: &Subscription,
        grant: Option<&Grant>,
        id: Id,
        world: &mut World,
    ) -> Result<(), Problem> {
        let mut ask = Ask::new(id, key, subscription, Start::Latest)?;
        Wanted::by(pattern(subscription)).check(grant)?;
        if let Some(rest) = ask.pattern.strip_prefix(FROM) {
            return self.resume(&mut ask, rest, world);
        }
        let wanted = Wanted::by(ask.pattern);
        let names = match wanted {
            Wanted::None => return Ok(()),
            Wanted::One(name) => vec![name.to_owned()],
            Wanted::All => Queue::list()?,
        };
        if ask.group.is_none() {
            self.shared.insert(ask.pattern, None, key);
        }
        for name in names.iter().filter(|name| wanted.is(name) && may_read(grant, name)) {
            match world.queues.get(name) {
                Ok(queue) => self.attach(&ask, name, &queue, world)?,
                Err(problem) if problem.status == 404 => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// Queues have come or gone. One that came later than a subscription is read from its beginning.
    pub(super) fn look(
        &mut self,
        codec: &Codec,
        grant: Option<&Grant>,
        id: Id,
        world: &mut World,
    ) -> Vec<(Key, Problem)> {
        let mut failed = Vec::new();
        for (key, subscription) in codec.subscriptions() {
            let wanted = Wanted::by(subscription.subject());
            let Ok(ask) = Ask::new(id, key, subscription, Start::Earliest) else { continue };
            let names = world.nats.queues_of(&wanted);
            for name in names.into_iter().filter(|name| may_read(grant, name)) {
                let Ok(queue) = world.queues.get(&name) else { continue };
                if let Err(problem) = self.attach(&ask, &name, &queue, world) {
                    failed.push((key, problem));
                }
            }
        }
        failed
    }

    /// Sees that a queue is read for a subscription.
    fn attach(
        &mut self,
        ask: &Ask,
        name: &str,
        queue: &Queue,
        world: &mut World,
    ) -> Result<(), Problem> {
        if let Some(group) = ask.group {
            return self.join(ask, group, name, queue, world);
        }
        let is_it = |source: &Source| source.target.only.is_none() && source.target.queue == name;
        let place = self.sources.iter().position(is_it);
        match place.and_then(|place| self.sources.get_mut(place)) {
            Some(source) if source.target.id == queue.id() => {
                if ask.place == Place::Start(Start::Latest) {
                    source.target.late.push((ask.key, queue.bounds().end));
                }
                source.target.keys.insert(ask.key);
                source.target.form = None;
                return Ok(());
            }
            // Another queue with the name.
            Some(source) => source.over = true,
            None => {}
        }
        self.read(ask, name, queue, None, world)
    }

    fn read(
        &mut self,
        ask: &Ask,
        name: &str,
        queue: &Queue,
        only: Option<Key>,
        world: &mut World,
    ) -> Result<(), Problem> {
        self.forget_sources(world);
        self.opened += 1;
        let client = Client::Source { connection: ask.id, source: self.opened };
        let feeds = &mut world.feeds;
        let follower = Follower::open(feeds, queue, ask.place, Filter::All, client)?;
        let (number, is_other, over) = (self.opened, false, false);
        let (id, keys, late, form) = (queue.id(), BTreeSet::from([ask.key]), Vec::new(), None);
        let target = Target { queue: name.into(), id, only, keys, late, form };
        self.sources.push(Source { number, follower, target, is_other, over });
        Ok(())
    }

    fn join(
        &mut self,
        ask: &Ask,
        group: &str,
        name: &str,
        queue: &Queue,
        world: &mut World,
    ) -> Result<(), Problem> {
        let filter = subjects::filter(ask.pattern);
        let is_it = |member: &&mut Membership| member.queue == name && member.name == group;
        if let Some(member) = self.memberships.iter_mut().find(is_it) {
            if member.id == queue.id() {
                if !member.whole && member.filter != filter {
                    return Err(Problem::new(409, "the group has another subject here"));
                }
                if !member.keys.contains(&ask.key) {
                    member.keys.push(ask.key);
                }
                return Ok(());
            }
            member.over = true;
        }
        self.forget_over(ask.id, world);
        let start = match ask.place {
            Place::Start(start) => start,
            Place::After(last) => Start::Position(last.wrapping_add(1)),
        };
        let wish = Wish { group, start, filter: Some(&filter) };
        let (key, whole) = match world.groups.join(queue, &wish, ask.id) {
            Ok(key) => (key, false),
            Err(problem) if problem.status == 409 && takes_all(queue, group, ask.pattern) => {
                let wish = Wish { filter: None, ..wish };
                (world.groups.join(queue, &wish, ask.id)?, true)
            }
            Err(problem) => return Err(problem),
        };
        let (queue, id) = (name.into(), queue.id());
        let name = group.into();
        let keys = vec![ask.key];
        let (group, over) = (key, false);
        self.memberships.push(Membership { queue, id, name, filter, group, whole, keys, over });
        Ok(())
    }

    /// `<where>.<subject>`: where is `earliest`, `latest`, a position, or what a message's `Slipring-Position` was, to go on behind that.
    fn resume<'a>(
        &mut self,
        ask: &mut Ask<'a>,
        rest: &'a [u8],
        world: &mut World,
    ) -> Result<(), Problem> {
        let usage =
            || Problem::new(400, "use $SLIPRING.FROM.<earliest, latest, position>.<queue>...");
        let dot = memchr::memchr(b'.', rest).ok_or_else(usage)?;
        let (place, pattern) = (&rest[..dot], &rest[dot + 1..]);
        let Wanted::One(name) = Wanted::by(pattern) else { return Err(usage()) };
        let queue = world.queues.get(name)?;
        let place = std::str::from_utf8(place).map_err(|_| usage())?;
        let mut is_other = false;
        ask.place = match place {
            "earliest" => Place::Start(Start::Earliest),
            "latest" => Place::Start(Start::Latest),
            number if !number.contains('-') => {
                Place::Start(Start::Position(number.parse().map_err(|_| usage())?))
            }
            id => events::resume(&queue, id.as_bytes())?.unwrap_or_else(|| {
                is_other = true;
                Place::Start(Start::Earliest)
            }),
        };
        ask.pattern = pattern;
        if let Some(group) = ask.group {
            return self.join(ask, group, name, &queue, world);
        }
        self.read(ask, name, &queue, Some(ask.key), world)?;
        if let Some(source) = self.sources.last_mut() {
            source.is_other = is_other;
        }
        Ok(())
    }

    /// A subscription has ended.
    pub(super) fn remove(
        &mut self,
        key: Key,
        subscription: &Subscription,
        id: Id,
        world: &mut World,
    ) {
        if matches!(Wanted::by(subscription.subject()), Wanted::None)
            && !subscription.subject().starts_with(FROM)
        {
            return;
        }
        self.shared.remove(subscription.subject(), None, key);
        for source in &mut self.sources {
            let target = &mut source.target;
            target.late.retain(|(late, _)| *late != key);
            target.keys.remove(&key);
            target.form = None;
            source.over |= target.keys.is_empty();
        }
        self.forget_sources(world);
        for member in &mut self.memberships {
            member.keys.retain(|member| *member != key);
            member.over |= member.keys.is_empty();
        }
        self.forget_over(id, world);
    }

    /// Follows no queue any more that this client wants nothing of.
    pub(super) fn forget_sources(&mut self, world: &mut World) {
        self.sources.retain(|source| {
            if source.over {
                source.follower.leave(&mut world.feeds);
            }
            !source.over
        });
    }

    /// Leaves groups that this client wants nothing of any more.
    pub(super) fn forget_over(&mut self, id: Id, world: &mut World) {
        self.memberships.retain(|member| {
            if member.over {
                world.groups.leave(member.group, id);
            }
            !member.over
        });
    }

    /// Wants nothing any more.
    pub(super) fn leave(&mut self, id: Id, world: &mut World) {
        self.sources.iter_mut().for_each(|source| source.over = true);
        self.forget_sources(world);
        self.leave_groups(id, world);
    }

    /// Leaves all groups: others get what this client would.
    pub(super) fn leave_groups(&mut self, id: Id, world: &mut World) {
        self.memberships.iter_mut().for_each(|member| member.over = true);
        self.forget_over(id, world);
    }
}

fn may_read(grant: Option<&Grant>, queue: &str) -> bool {
    grant.is_some_and(|grant| grant.subscribe(queue).is_ok())
}

/// Whether a group has no filter, and a subscription wants as much as it can say.
fn takes_all(queue: &Queue, group: &str, pattern: &[u8]) -> bool {
    let stats = queue.stats();
    let found = stats.groups.iter().find(|found| found.kind == "named" && found.name == group);
    subjects::is_whole(pattern) && found.is_some_and(|found| found.filter.is_empty())
}

/// The subject that a subscription is about.
pub(super) fn pattern(subscription: &Subscription) -> &[u8] {
    let subject = subscription.subject();
    let rest = subject.strip_prefix(FROM).and_then(|rest| {
        let dot = memchr::memchr(b'.', rest)?;
        rest.get(dot + 1..)
    });
    rest.unwrap_or(subject)
}

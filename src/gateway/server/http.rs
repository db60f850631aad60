//! The HTTP face: requests, and what becomes of each.

use std::time::Instant;

use super::access::Grant;
use super::asked::Asked;
use super::connection::{Face, Id};
use super::events::Events;
use super::listen::Protocol;
use super::metrics;
use super::page;
use super::polling::{self, Poll};
use super::problem::Problem;
use super::pull::Pull;
use super::queues::Sent;
use super::websocket;
use super::wire::Wire;
use super::world::World;
use crate::gateway::engineio::Reply as SessionReply;
use crate::gateway::http::{Body, CONTINUE, Cors, Event, Limits, Method, Parser, Reply, Request};

/// HTTP, and what begins with it.
pub(super) const HTTP: Protocol = Protocol {
    greet: |wire, identity, world| {
        if let Some(identity) = identity {
            wire.secure(identity);
        }
        Face::Http(Box::new(Http::new(world)))
    },
    refuse: |out, _, secure, _| {
        // Nothing can be said before a handshake.
        if !secure {
            Reply::last().error(out, 503, "too many connections");
        }
    },
};

/// What a POST is for. (Packets are for an Engine.IO session, which answers by itself.)
pub(super) enum Task {
    Publish { queue: String, id: Option<String>, event: String },
    Settle { how: String, token: String },
    Packets { session: u64, id: Id },
}

/// A request whose body is coming.
pub(super) struct Post {
    asked: Asked,
    task: Task,
    length: Body,
    body: Vec<u8>,
    /// It has been done already, from where the body lay.
    done: Option<Result<Sent, Problem>>,
}

/// What follows a request.
pub(super) enum Answer {
    /// It was answered.
    Done,
    /// Its body comes first.
    Post(Post),
    /// It waits for a message.
    Wait(Pull),
    /// It waits for what an Engine.IO session has to say.
    Poll(Poll),
    /// The connection is no longer one for requests.
    Become(Face),
}

/// What follows some input.
pub(super) enum Step {
    Stay,
    /// Send what there is, then close.
    Close,
    /// Go on as another face, with the input behind so many bytes.
    Become(Face, usize),
}

/// A client that makes requests.
pub(super) struct Http {
    parser: Parser,
    post: Option<Post>,
    pull: Option<Pull>,
    poll: Option<Poll>,
    /// Came behind a request that waits.
    pub(super) pending: Vec<u8>,
    /// When it connected, or the present request's head began or ended, or the last one was answered.
    since: Instant,
    /// It has made a request.
    used: bool,
}

impl Http {
    pub(super) fn new(world: &World) -> Self {
        let limits = Limits { head: world.config.head, body: world.config.payload as u64 };
        Self {
            parser: Parser::new(limits),
            post: None,
            pull: None,
            poll: None,
            pending: Vec::new(),
            since: Instant::now(),
            used: false,
        }
    }

    /// It waits for a message: nothing is read meanwhile.
    pub(super) fn is_waiting(&self) -> bool {
        self.pull.is_some() || self.poll.is_some()
    }

    /// What the client may do that waits.
    pub(super) fn grant(&self) -> Option<&Grant> {
        self.pull.as_ref().map(|pull| &pull.grant)
    }

    /// Nothing has come of the next request.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_waiting() && self.pending.is_empty() && self.parser.is_between()
    }

    /// When its time is over.
    pub(super) fn deadline(&self, world: &World) -> Instant {
        match (&self.pull, &self.poll) {
            (Some(pull), _) => pull.until,
            (_, Some(poll)) => poll.deadline(world),
            _ if self.post.is_some() || self.used && self.parser.is_between() => {
                self.since + world.idle_time()
            }
            _ => self.since + world.handshake_time(),
        }
    }

    /// Its time is over; `true`: go on.
    pub(super) fn on_deadline(&mut self, wire: &mut Wire, world: &mut World) -> bool {
        if let Some(pull) = self.pull.take() {
            pull.give_up(wire, world);
            self.since = Instant::now();
            return pull.asked.reply.keeps_alive();
        }
        world.counters.timeouts += 1;
        if !self.parser.is_between() {
            Reply::last().error(wire.out(), 408, "the request took too long");
        }
        false
    }

    /// The client sends too much.
    pub(super) fn refuse(&self, wire: &mut Wire, world: &mut World) {
        world.counters.over_rate += 1;
        Reply::last().error(wire.out(), 429, "too much in a second");
    }

    /// Looks for the message that it waits for. `None`: nothing has changed.
    pub(super) fn push(&mut self, wire: &mut Wire, world: &mut World) -> Option<Step> {
        let pull = self.pull.as_mut()?;
        if !pull.try_finish(wire, world) {
            return None;
        }
        let keeps_alive = pull.asked.reply.keeps_alive();
        self.pull = None;
        self.since = Instant::now();
        Some(if keeps_alive { Step::Stay } else { Step::Close })
    }

    /// The client has gone, or the gateway goes.
    pub(super) fn leave(&mut self, world: &mut World) {
        if let Some(pull) = self.pull.take() {
            world.groups.leave(pull.group, pull.id);
        }
        if let Some(poll) = self.poll.take() {
            world.lose(poll.session, poll.id);
        }
        if let Some(Post { task: Task::Packets { session, id }, .. }) = self.post.take() {
            world.lose(session, id);
        }
    }

    /// Sends the answer of an Engine.IO session; `true`: the connection goes on.
    pub(super) fn answer(
        &mut self,
        reply: &SessionReply,
        wire: &mut Wire,
        world: &mut World,
    ) -> bool {
        self.since = Instant::now();
        if let Some(poll) = self.poll.take() {
            return polling::write_reply(&poll.asked, reply, wire, world);
        }
        // The body is of no use any more.
        if let Some(post) = self.post.take() {
            polling::write_reply(&post.asked, reply, wire, world);
        }
        false
    }

    /// Takes what came.
    pub(super) fn take(
        &mut self,
        input: &[u8],
        id: Id,
        wire: &mut Wire,
        world: &mut World,
    ) -> Step {
        let mut rest = input;
        loop {
            if self.parser.is_between() {
                self.since = Instant::now();
            }
            let event = match self.parser.next(&mut rest) {
                Ok(Some(event)) => event,
                Ok(None) => return Step::Stay,
                Err(error) => {
                    world.counters.errors += 1;
                    error.reply(wire.out());
                    return Step::Close;
                }
            };
            match event {
                Event::Request(request) => {
                    (self.since, self.used) = (Instant::now(), true);
                    world.counters.requests += 1;
                    let asked = Asked::new(&request, world);
                    if !wire.meter.message() {
                        self.refuse(wire, world);
                        return Step::Close;
                    }
                    let has_body = request.body != Body::None;
                    let keeps_alive = asked.reply.keeps_alive();
                    match route(&request, asked, id, wire, world) {
                        Answer::Post(post) if has_body => {
                            if request.expects_continue {
                                wire.out().extend_from_slice(CONTINUE);
                            }
                            self.post = Some(post);
                        }
                        Answer::Post(post) => {
                            if let Some(step) = self.finish(post, rest, wire, world) {
                                return step;
                            }
                        }
                        // Nobody knows whether the body comes, after this answer.
                        Answer::Done if request.expects_continue || !keeps_alive => {
                            return Step::Close;
                        }
                        Answer::Done => {}
                        Answer::Wait(pull) => {
                            self.pull = Some(pull);
                            self.pending = rest.to_vec();
                            return Step::Stay;
                        }
                        Answer::Poll(poll) => {
                            self.poll = Some(poll);
                            self.pending = rest.to_vec();
                            return Step::Stay;
                        }
                        Answer::Become(face) => {
                            return Step::Become(face, input.len() - rest.len());
                        }
                    }
                }
                Event::Body(bytes) => {
                    if let Some(post) = &mut self.post {
                        post.take(bytes, world);
                    }
                }
                Event::End => {
                    // Without a task, it was the body of a request that has been refused.
                    if let Some(post) = self.post.take()
                        && let Some(step) = self.finish(post, rest, wire, world)
                    {
                        return step;
                    }
                }
            }
        }
    }

    /// Does what a request with its body is for; `None`: go on.
    fn finish(
        &mut self,
        post: Post,
        rest: &[u8],
        wire: &mut Wire,
        world: &mut World,
    ) -> Option<Step> {
        if let Task::Packets { session, id } = post.task {
            self.poll = Some(Poll::new(post.asked, session, id));
            self.pending = rest.to_vec();
            let taken = world.in_session(session, Some(id), |entry, world| {
                entry.on_body(id, &post.body, &mut wire.meter, world)
            });
            if taken == Some(false) {
                self.refuse(wire, world);
            }
            return Some(if taken == Some(true) { Step::Stay } else { Step::Close });
        }
        (!post.finish(wire, world)).then_some(Step::Close)
    }
}

impl Post {
    pub(super) fn begin(request: &Request, asked: Asked, task: Task) -> Answer {
        Answer::Post(Self { asked, task, length: request.body, body: Vec::new(), done: None })
    }

    /// Takes a piece of the body. A message that came whole goes into the ring from where it lies.
    fn take(&mut self, bytes: &[u8], world: &mut World) {
        match &self.task {
            Task::Publish { queue, id, event }
                if self.length == Body::Length(bytes.len() as u64) =>
            {
                self.done = Some(world.publish(queue, id.as_deref(), event, bytes));
            }
            _ => self.body.extend_from_slice(bytes),
        }
    }

    /// Does it, and answers; `true`: the connection goes on.
    fn finish(self, wire: &mut Wire, world: &mut World) -> bool {
        let Self { mut asked, task, body, done, .. } = self;
        if world.draining {
            asked.reply = asked.reply.close();
        }
        let done = match task {
            Task::Publish { queue, id, event } => {
                let sent =
                    done.unwrap_or_else(|| world.publish(&queue, id.as_deref(), &event, &body));
                sent.map(|Sent { position, duplicate }| {
                    let (status, also) =
                        if duplicate { (200, ",\"duplicate\":true") } else { (201, "") };
                    let text = format!("{{\"position\":{position}{also}}}");
                    let head = asked.begin(&world.access.cors, wire.out(), status);
                    head.body("application/json", text.as_bytes());
                })
            }
            Task::Settle { how, token } => {
                let reason = String::from_utf8_lossy(&body);
                super::pull::settle(world, &how, &token, &reason)
                    .map(|()| asked.begin(&world.access.cors, wire.out(), 204).empty())
            }
            Task::Packets { .. } => Ok(()),
        };
        if let Err(problem) = done {
            asked.refuse(world, wire.out(), &problem);
        }
        asked.reply.keeps_alive()
    }
}

/// Finds what a request is about.
fn route(request: &Request, asked: Asked, id: Id, wire: &mut Wire, world: &mut World) -> Answer {
    if polling::is_for_sessions(request.path, world) {
        return polling::route(request, asked, id, wire, world);
    }
    if let Err(problem) = world.access.check_origin(request) {
        asked.refuse(world, wire.out(), &problem);
        return Answer::Done;
    }
    if Cors::is_preflight(request) {
        world.access.cors.write_preflight(request, wire.out());
        return Answer::Done;
    }
    let path = request.decoded_path();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if let (Method::Get | Method::Head, ["healthz"]) = (request.method, &parts[..]) {
        asked.begin(&world.access.cors, wire.out(), 200).body("text/plain", b"ok\n");
        return Answer::Done;
    }
    let reads = matches!(request.method, Method::Get | Method::Head);
    // The page's files say nothing of the queues: it asks for the token itself.
    if let Some(file) = page::file(&parts).filter(|_| reads && world.access.has_page) {
        page::write(asked.begin(&world.access.cors, wire.out(), 200), file);
        return Answer::Done;
    }
    let answer = world
        .access
        .grant(request)
        .and_then(|grant| answer(request, &parts, (&asked, &grant), id, wire, world));
    answer.unwrap_or_else(|problem| {
        asked.refuse(world, wire.out(), &problem);
        Answer::Done
    })
}

/// Answers to who may ask, or begins to.
fn answer(
    request: &Request,
    path: &[&str],
    (asked, grant): (&Asked, &Grant),
    id: Id,
    wire: &mut Wire,
    world: &mut World,
) -> Result<Answer, Problem> {
    match (request.method, path) {
        (Method::Get | Method::Head, ["metrics"]) => {
            grant.see_all()?;
            let text = metrics::text(world);
            let head = asked.begin(&world.access.cors, wire.out(), 200);
            head.body("text/plain; version=0.0.4", text.as_bytes());
            Ok(Answer::Done)
        }
        (Method::Post, ["q", queue]) => {
            grant.publish(queue)?;
            publish(request, asked, queue, world)
        }
        (Method::Post, ["q", queue, how @ ("ack" | "retry" | "reject")]) => {
            grant.subscribe(queue)?;
            let token = request.param("token").unwrap_or_default().into_owned();
            let task = Task::Settle { how: (*how).into(), token };
            world.queues.get(queue).map(|_| Post::begin(request, asked.clone(), task))
        }
        (Method::Get, ["q", queue]) => {
            Pull::new(request, (asked, grant), queue, id, world).map(Answer::Wait)
        }
        (Method::Get, ["q", queue, "events"]) => {
            Events::open(request, (asked, grant), queue, id, wire, world)
                .map(|events| Answer::Become(Face::Events(Box::new(events))))
        }
        (Method::Get, ["q", queue, "latest"]) => {
            grant.subscribe(queue)?;
            let found = page::latest(request, queue, world)?;
            let head = asked.begin(&world.access.cors, wire.out(), 200);
            let head = head.header("Cache-Control", "no-store");
            head.body("application/json", found.to_string().as_bytes());
            Ok(Answer::Done)
        }
        (_, path) if websocket::is_for_sockets(path, world) => {
            websocket::open(request, grant, path, id, wire, world)
                .map(|socket| match socket {
                    Some(socket) => Face::WebSocket(Box::new(socket)),
                    None => Face::closing(),
                })
                .map(Answer::Become)
        }
        (_, path) => {
            world.counters.errors += 1;
            refuse_path(path, asked, wire, world);
            Ok(Answer::Done)
        }
    }
}

fn publish(
    request: &Request,
    asked: &Asked,
    queue: &str,
    world: &mut World,
) -> Result<Answer, Problem> {
    // Before the body is asked for.
    world.queues.get(queue)?;
    let event = request.param("event").unwrap_or_default().into_owned();
    let id = request.header("Idempotency-Key").map(<[u8]>::to_vec).map(String::from_utf8);
    let id = id.transpose().map_err(|_| Problem::new(400, "Idempotency-Key: use UTF-8"))?;
    let task = Task::Publish { queue: queue.into(), id, event };
    Ok(Post::begin(request, asked.clone(), task))
}

fn refuse_path(path: &[&str], asked: &Asked, wire: &mut Wire, world: &World) {
    let allow = match path {
        ["healthz" | "metrics"] => "GET, HEAD",
        path if world.access.has_page && page::file(path).is_some() => "GET, HEAD",
        ["q", _] => "GET, POST",
        ["q", _, "events" | "latest"] => "GET",
        ["q", _, "ack" | "retry" | "reject"] => "POST",
        _ => {
            return (asked.begin(&world.access.cors, wire.out(), 404))
                .error("no such path; docs/gateway.md lists those there are");
        }
    };
    let head = asked.begin(&world.access.cors, wire.out(), 405).header("Allow", allow);
    head.error("this path has no such method");
}

//! From a message's subject to the subscriptions that want it.
//!
//! A tree of tokens: a node has a child for each literal token, one for `*` and one for `>`. A message's subject is walked token by token, on each
//! level by at most two ways, so that the cost depends on the subject and on how many wildcards cross it, not on the number of subscriptions. Nodes
//! that nobody needs any more are used again.

use std::collections::{BTreeMap, HashMap};

use super::subject;

/// Subscriptions by subject. `K` names a subscription.
#[derive(Debug)]
pub struct Index<K> {
    nodes: Vec<Node<K>>,
    free: Vec<usize>,
    subscriptions: usize,
}

#[derive(Debug)]
struct Node<K> {
    literal: HashMap<Box<[u8]>, usize>,
    /// The child for `*`.
    any: Option<usize>,
    /// The child for `>`.
    rest: Option<usize>,
    /// Sorted, as are the members of each group.
    plain: Vec<K>,
    groups: BTreeMap<Box<[u8]>, Vec<K>>,
}

impl<K> Default for Node<K> {
    fn default() -> Self {
        Self {
            literal: HashMap::new(),
            any: None,
            rest: None,
            plain: Vec::new(),
            groups: BTreeMap::new(),
        }
    }
}

impl<K> Node<K> {
    fn child(&self, token: &[u8]) -> Option<usize> {
        match token {
            b"*" => self.any,
            b">" => self.rest,
            _ => self.literal.get(token).copied(),
        }
    }
    fn set_child(&mut self, token: &[u8], child: Option<usize>) {
        match (token, child) {
            (b"*", _) => self.any = child,
            (b">", _) => self.rest = child,
            (_, Some(child)) => drop(self.literal.insert(token.into(), child)),
            (_, None) => drop(self.literal.remove(token)),
        }
    }
    fn wanted(&self) -> bool {
        !self.plain.is_empty() || !self.groups.is_empty()
    }
    fn needed(&self) -> bool {
        self.wanted() || !self.literal.is_empty() || self.any.is_some() || self.rest.is_some()
    }
}

const ROOT: usize = 0;

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), subscriptions: 0 }
    }
}

impl<K: Copy + Ord> Index<K> {
    /// The number of subscriptions.
    pub fn len(&self) -> usize {
        self.subscriptions
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.subscriptions == 0
    }

    /// The number of nodes in use, to which the memory is in proportion: at most one for each token of each subscription, and the root.
    pub fn nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Adds a subscription, as a member of a queue group if one is named. `false` for a subject that is not [valid](subject::is_valid), or if the
    /// subscription is there already.
    pub fn insert(&mut self, subject: &[u8], group: Option<&[u8]>, key: K) -> bool {
        if !subject::is_valid(subject) {
            return false;
        }
        let mut at = ROOT;
        for token in subject::tokens(subject) {
            at = self.nodes[at].child(token).unwrap_or_else(|| {
                let child = self.create();
                self.nodes[at].set_child(token, Some(child));
                child
            });
        }
        let node = &mut self.nodes[at];
        let members = match group {
            None => &mut node.plain,
            Some(group) => node.groups.entry(group.into()).or_default(),
        };
        match members.binary_search(&key) {
            Ok(_) => false,
            Err(place) => {
                members.insert(place, key);
                self.subscriptions += 1;
                true
            }
        }
    }

    /// Removes what was added with the same three. `false` if it is not there.
    pub fn remove(&mut self, subject: &[u8], group: Option<&[u8]>, key: K) -> bool {
        let mut path = vec![ROOT];
        for token in subject::tokens(subject) {
            let Some(child) = self.nodes[path[path.len() - 1]].child(token) else { return false };
            path.push(child);
        }
        let node = &mut self.nodes[path[path.len() - 1]];
        let members = match group {
            None => Some(&mut node.plain),
            Some(group) => node.groups.get_mut(group),
        };
        let place = members.as_ref().and_then(|members| members.binary_search(&key).ok());
        let (Some(members), Some(place)) = (members, place) else { return false };
        members.remove(place);
        if let (true, Some(group)) = (members.is_empty(), group) {
            node.groups.remove(group);
        }
        self.subscriptions -= 1;
        self.prune(subject, &path);
        true
    }

    /// The subscriptions that get a message of this subject. None for a subject with an empty token.
    pub fn matches(&self, subject: &[u8]) -> Matches<'_, K> {
        let mut nodes = Vec::new();
        if subject::tokens(subject).any(<[u8]>::is_empty) {
            return Matches { nodes };
        }
        let mut open = Vec::new();
        let mut next = Some((ROOT, Some(subject)));
        while let Some((at, rest)) = next.take().or_else(|| open.pop()) {
            let node = &self.nodes[at];
            let Some(rest) = rest else {
                nodes.extend(node.wanted().then_some(node));
                continue;
            };
            let (token, rest) = match memchr::memchr(b'.', rest) {
                Some(dot) => (&rest[..dot], Some(&rest[dot + 1..])),
                None => (rest, None),
            };
            nodes.extend(node.rest.map(|rest| &self.nodes[rest]));
            next = node.literal.get(token).map(|child| (*child, rest));
            open.extend(node.any.map(|child| (child, rest)));
        }
        Matches { nodes }
    }

    fn create(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        })
    }

    /// Gives back the nodes at the end of a path that lead nowhere now.
    fn prune(&mut self, subject: &[u8], path: &[usize]) {
        let tokens: Vec<&[u8]> = subject::tokens(subject).collect();
        for (depth, token) in tokens.into_iter().enumerate().rev() {
            if self.nodes[path[depth + 1]].needed() {
                break;
            }
            self.nodes[path[depth + 1]] = Node::default();
            self.free.push(path[depth + 1]);
            self.nodes[path[depth]].set_child(token, None);
        }
    }
}

/// What [`Index::matches`] found.
#[derive(Debug)]
pub struct Matches<'a, K> {
    nodes: Vec<&'a Node<K>>,
}

impl<'a, K: Copy + Ord> Matches<'a, K> {
    /// Subscriptions without a queue group: each gets the message.
    pub fn plain(&self) -> impl Iterator<Item = K> {
        self.nodes.iter().flat_map(|node| node.plain.iter().copied())
    }

    /// The queue groups, by name: one member of each gets the message. Members that came by different wildcards make one group.
    pub fn groups(&self) -> BTreeMap<&'a [u8], Vec<K>> {
        let mut groups: BTreeMap<&[u8], Vec<K>> = BTreeMap::new();
        for (name, members) in self.nodes.iter().flat_map(|node| &node.groups) {
            groups.entry(name).or_default().extend(members);
        }
        groups
    }
}

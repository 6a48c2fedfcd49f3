//! How the parts of a schema lead to one another: what keeps validation within bounds.
//!
//! Where it is not certain which part a reference means, every part it might mean counts: bounds found here may be too
//! high and are never too low.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use crate::error::{Code, Error, Result};

/// How many keywords may apply one another at the same place of a value.
///
/// With the depth of a value this bounds the stack that validation takes.
const MAX_IN_PLACE: usize = 32;
/// How deep the count of steps goes before it gives up.
const MAX_DESCENT: usize = 1_000;

/// The parts of a schema by the names that references use.
pub(super) struct Graph<'a> {
    root: &'a Json,
    anchors: HashMap<&'a str, Vec<&'a Json>>,
    /// Parts with an `$id` of their own: pointers in references start there.
    resources: Vec<(&'a str, &'a Json)>,
    parts: Vec<&'a Json>,
}

impl<'a> Graph<'a> {
    /// Looks at every object in the schema, whether it is a schema or not.
    pub(super) fn new(root: &'a Json) -> Self {
        let mut graph = Self {
            root,
            anchors: HashMap::new(),
            resources: Vec::new(),
            parts: Vec::new(),
        };
        let mut open = vec![root];
        while let Some(value) = open.pop() {
            match value {
                Json::Array(items) => open.extend(items),
                Json::Object(members) => {
                    graph.parts.push(value);
                    for key in ["$anchor", "$dynamicAnchor"] {
                        if let Some(name) = members.get(key).and_then(Json::as_str) {
                            graph.anchors.entry(name).or_default().push(value);
                        }
                    }
                    for key in ["$id", "id"] {
                        if let Some(id) = members.get(key).and_then(Json::as_str) {
                            graph.resources.push((id, value));
                        }
                    }
                    open.extend(members.values());
                }
                _ => {}
            }
        }
        graph
    }

    /// Checks that no part applies itself at the same place, and none applies too many others there.
    pub(super) fn check(&self) -> Result<()> {
        let mut done = HashMap::new();
        for part in &self.parts {
            let depth = self.in_place_depth(part, &mut Vec::new(), &mut done)?;
            deep_enough(depth)?;
        }
        Ok(())
    }

    fn in_place_depth(
        &self,
        part: &'a Json,
        open: &mut Vec<*const Json>,
        done: &mut HashMap<*const Json, usize>,
    ) -> Result<usize> {
        let id = std::ptr::from_ref(part);
        if let Some(depth) = done.get(&id) {
            return Ok(*depth);
        }
        if open.contains(&id) {
            return Err(Error::new(
                Code::E3105,
                "the JSON Schema refers to itself in a circle, without going further into the value",
            ));
        }
        deep_enough(open.len())?;
        open.push(id);
        let mut depth = 0;
        for next in self.in_place(part) {
            depth = depth.max(1 + self.in_place_depth(next, open, done)?);
        }
        open.pop();
        done.insert(id, depth);
        Ok(depth)
    }

    /// The parts that a part applies to the same value.
    fn in_place(&self, part: &'a Json) -> Vec<&'a Json> {
        let mut found = Vec::new();
        let Some(members) = part.as_object() else {
            return found;
        };
        for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = members.get(key).and_then(Json::as_str) {
                found.extend(self.targets(reference, key != "$ref"));
            }
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            found.extend(
                members
                    .get(key)
                    .and_then(Json::as_array)
                    .into_iter()
                    .flatten(),
            );
        }
        for key in ["not", "if", "then", "else"] {
            found.extend(members.get(key));
        }
        for key in ["dependentSchemas", "dependencies"] {
            let map = members.get(key).and_then(Json::as_object);
            found.extend(map.into_iter().flat_map(|map| map.values()));
        }
        found.retain(|part| part.is_object());
        found
    }

    /// Every part that a reference may mean.
    fn targets(&self, reference: &str, is_dynamic: bool) -> Vec<&'a Json> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let last = |id: &str| {
            let id = id.split_once('#').map_or(id, |(id, _)| id);
            id.trim_end_matches('/')
                .rsplit(['/', ':'])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let bases = Some(self.root)
            .filter(|_| document.is_empty())
            .into_iter()
            .chain(
                self.resources
                    .iter()
                    .filter(|(id, _)| document.is_empty() || last(id) == last(document))
                    .map(|(_, part)| *part),
            );
        let fragment = percent_decoded(fragment);
        let mut seen = HashSet::new();
        let mut found: Vec<&'a Json> = bases.filter_map(|base| base.pointer(&fragment)).collect();
        if !fragment.is_empty() && !fragment.starts_with('/') {
            found.extend(self.anchors.get(fragment.as_str()).into_iter().flatten());
        }
        // What an old draft names with `id: "#name"`.
        let named = self.resources.iter().filter(|(id, _)| *id == reference);
        found.extend(named.map(|(_, part)| *part));
        if is_dynamic {
            found.extend(self.resources.iter().map(|(_, part)| *part));
        }
        found.retain(|part| seen.insert(std::ptr::from_ref(*part)));
        found
    }

    /// How many ways there are from the root through the parts, whatever the value. A way that comes back to where it was
    /// counts once: the library remembers what it found there.
    pub(super) fn ways(&self) -> u64 {
        self.ways_from(self.root, &mut HashSet::new(), &mut HashMap::new(), 0)
    }

    fn ways_from(
        &self,
        part: &'a Json,
        open: &mut HashSet<*const Json>,
        known: &mut HashMap<*const Json, u64>,
        descent: usize,
    ) -> u64 {
        let id = std::ptr::from_ref(part);
        if let Some(ways) = known.get(&id) {
            return *ways;
        }
        if descent > MAX_DESCENT {
            return u64::MAX;
        }
        if !open.insert(id) {
            return 1;
        }
        let mut ways = 1_u64;
        for next in self.in_place(part).into_iter().chain(descending(part)) {
            ways = ways.saturating_add(self.ways_from(next, open, known, descent + 1));
        }
        open.remove(&id);
        known.insert(id, ways);
        ways
    }

    /// How many times a part of the schema meets a part of the value while all reasons are searched; nothing where that
    /// is more than `limit`.
    pub(super) fn cost(&self, instance: &Json, limit: u64) -> Option<u64> {
        let mut count = Count {
            graph: self,
            known: HashMap::new(),
            limit,
        };
        count.of(self.root, instance, 0)
    }
}

/// The parts that a part applies to what is inside the value.
fn descending(part: &Json) -> Vec<&Json> {
    let Some(members) = part.as_object() else {
        return Vec::new();
    };
    let maps = ["properties", "patternProperties"]
        .into_iter()
        .filter_map(|key| members.get(key).and_then(Json::as_object))
        .flat_map(|map| map.values());
    let lists = ["items", "prefixItems"]
        .into_iter()
        .filter_map(|key| members.get(key).and_then(Json::as_array))
        .flatten();
    let single = [
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
    ]
    .into_iter()
    .filter_map(|key| members.get(key));
    maps.chain(lists)
        .chain(single)
        .filter(|part| part.is_object())
        .collect()
}

fn deep_enough(depth: usize) -> Result<()> {
    if depth <= MAX_IN_PLACE {
        return Ok(());
    }
    Err(Error::new(
        Code::E3105,
        format!(
            "the JSON Schema applies more than {MAX_IN_PLACE} of its parts, each through the one before, at the same \
             place of a value"
        ),
    ))
}

/// The count of steps, with what is already counted.
struct Count<'g, 'a> {
    graph: &'g Graph<'a>,
    known: HashMap<(*const Json, *const Json), u64>,
    limit: u64,
}

impl<'a> Count<'_, 'a> {
    fn of(&mut self, part: &'a Json, instance: &Json, descent: usize) -> Option<u64> {
        let key = (std::ptr::from_ref(part), std::ptr::from_ref(instance));
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        if descent > MAX_DESCENT || self.known.len() as u64 > self.limit {
            return None;
        }
        let mut cost = 1_u64;
        for next in self.graph.in_place(part) {
            cost = self.sum(cost, next, instance, descent)?;
        }
        if let Some(members) = part.as_object() {
            match instance {
                Json::Object(object) => {
                    let named = members.get("properties").and_then(Json::as_object);
                    for (name, next) in named.into_iter().flatten() {
                        if let Some(child) = object.get(name) {
                            cost = self.sum(cost, next, child, descent)?;
                        }
                    }
                    let patterns = members.get("patternProperties").and_then(Json::as_object);
                    let others = ["additionalProperties", "unevaluatedProperties"];
                    let others = others.iter().filter_map(|key| members.get(*key));
                    for next in patterns
                        .into_iter()
                        .flat_map(|map| map.values())
                        .chain(others)
                    {
                        for child in object.values() {
                            cost = self.sum(cost, next, child, descent)?;
                        }
                    }
                    // Names are strings: what applies to them goes no deeper.
                    cost = cost.saturating_add(object.len() as u64);
                }
                Json::Array(items) => {
                    for key in ["items", "prefixItems"] {
                        let by_position = members.get(key).and_then(Json::as_array);
                        for (next, child) in by_position.into_iter().flatten().zip(items) {
                            cost = self.sum(cost, next, child, descent)?;
                        }
                    }
                    let each = ["items", "additionalItems", "unevaluatedItems", "contains"];
                    for next in each.iter().filter_map(|key| members.get(*key)) {
                        for child in items {
                            cost = self.sum(cost, next, child, descent)?;
                        }
                    }
                }
                _ => {}
            }
        }
        self.known.insert(key, cost);
        Some(cost)
    }

    fn sum(&mut self, cost: u64, next: &'a Json, instance: &Json, descent: usize) -> Option<u64> {
        let sum = cost.checked_add(self.of(next, instance, descent + 1)?)?;
        (sum <= self.limit).then_some(sum)
    }
}

/// A fragment without its percent signs; left as it is where they make no sense.
fn percent_decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| fragment.to_owned())
}

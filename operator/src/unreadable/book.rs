//! Which objects of a kind cannot be read.

use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::Kind;
use crate::metrics::Metrics;

/// The objects of one kind that cannot be read, as its watch tells of them. Cheap to clone.
#[derive(Clone)]
pub struct Unreadable<K> {
    metrics: Metrics,
    book: Arc<watch::Sender<Book>>,
    kind: PhantomData<fn() -> K>,
}

/// Namespace and name.
type Name = (String, String);

#[derive(Debug, Default)]
pub(super) struct Book {
    objects: BTreeMap<Name, Arc<InvalidObject>>,
    /// Those of the list that is being received.
    listed: HashSet<Name>,
    /// The one that the event under way is about, if it is gone or can be read again.
    leaving: Option<Name>,
}

impl<K: Kind> Unreadable<K> {
    /// None so far.
    pub fn new(metrics: &Metrics) -> Self {
        let new = Self {
            metrics: metrics.clone(),
            book: Arc::default(),
            kind: PhantomData,
        };
        new.count(0);
        new
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<InvalidObject>> {
        self.book.borrow().objects.values().cloned().collect()
    }

    /// One of them, `namespace/name`.
    pub fn any(&self) -> Option<String> {
        let book = self.book.borrow();
        let ((namespace, name), _) = book.objects.first_key_value()?;
        Some(format!("{namespace}/{name}"))
    }

    /// Changes when they do.
    pub(super) fn changes(&self) -> watch::Receiver<Book> {
        self.book.subscribe()
    }

    /// What `event` is for those who can do without what they cannot read: an object that cannot be read any more is gone for them. One that
    /// is being deleted has its metadata alone, by which it can be let go.
    pub fn pass(&self, event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
        match event {
            Event::Init => {
                self.change(|book| {
                    book.listed.clear();
                    false
                });
                Some(Event::Init)
            }
            Event::InitApply(DeserializeGuard(Ok(object))) => Some(Event::InitApply(object)),
            Event::InitApply(DeserializeGuard(Err(object))) => {
                let bare = self.note(object, true);
                goes(&bare).then_some(Event::InitApply(bare))
            }
            Event::InitDone => Some(Event::InitDone),
            Event::Apply(DeserializeGuard(Ok(object))) => {
                self.leaves(&object);
                Some(Event::Apply(object))
            }
            Event::Apply(DeserializeGuard(Err(object))) => {
                let bare = self.note(object, false);
                Some(match goes(&bare) {
                    true => Event::Apply(bare),
                    false => Event::Delete(bare),
                })
            }
            Event::Delete(DeserializeGuard(object)) => {
                let object = object.unwrap_or_else(|object| K::bare(object.metadata));
                self.leaves(&object);
                Some(Event::Delete(object))
            }
        }
    }

    /// Whoever keeps objects has `event`, which [`pass`](Self::pass) made: what can be read again is there, and is no longer here.
    pub fn passed(&self, event: &Event<K>) {
        self.change(|book| {
            let before = book.objects.len();
            if let Some(name) = book.leaving.take() {
                book.objects.remove(&name);
            }
            if matches!(event, Event::InitDone) {
                let listed = std::mem::take(&mut book.listed);
                book.objects.retain(|name, _| listed.contains(name));
            }
            book.objects.len() != before
        });
    }

    fn note(&self, object: InvalidObject, listed: bool) -> K {
        let bare = K::bare(object.metadata.clone());
        let name = name(&bare);
        self.change(|book| {
            let known = book.objects.get(&name);
            if known.is_none_or(|known| known.error != object.error) {
                tracing::warn!(
                    kind = %K::kind(&()), namespace = name.0, name = name.1, error = object.error,
                    "an object that this version cannot read is left as it is"
                );
            }
            if listed {
                book.listed.insert(name.clone());
            }
            book.objects.insert(name, Arc::new(object));
            true
        });
        bare
    }

    fn leaves(&self, object: &K) {
        self.change(|book| {
            book.leaving = Some(name(object)).filter(|name| book.objects.contains_key(name));
            false
        });
    }

    /// `change` tells whether the objects are others.
    fn change(&self, change: impl FnOnce(&mut Book) -> bool) {
        self.book.send_if_modified(|book| {
            let changed = change(book);
            if changed {
                self.count(book.objects.len());
            }
            changed
        });
    }

    fn count(&self, count: usize) {
        self.metrics.set_unreadable(&K::kind(&()), count);
    }
}

fn name<K: Kind>(object: &K) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether it is being deleted.
fn goes<K: Kind>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use provost_crds::ProofRequest;
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, mode: &str) -> Value {
        json!({
            "apiVersion": "provost.dev/v1alpha1", "kind": "ProofRequest",
            "metadata": {"name": name, "namespace": "ns", "uid": name},
            "spec": {"program": {"inline": "AAAA"}, "mode": mode},
        })
    }

    /// One that this version reads.
    fn known(name: &str) -> DeserializeGuard<ProofRequest> {
        serde_json::from_value(object(name, "Core")).unwrap()
    }

    /// One of a mode that it has not heard of.
    fn unknown(name: &str) -> DeserializeGuard<ProofRequest> {
        serde_json::from_value(object(name, "Shrink")).unwrap()
    }

    fn leaving(name: &str) -> DeserializeGuard<ProofRequest> {
        let mut object = object(name, "Shrink");
        object["metadata"]["deletionTimestamp"] = "2026-11-24T00:00:00Z".into();
        serde_json::from_value(object).unwrap()
    }

    type Read = Event<DeserializeGuard<ProofRequest>>;

    /// What becomes of an event, and which are in the book once the caches have it.
    fn follow(book: &Unreadable<ProofRequest>, event: Read) -> (String, String) {
        let event = book.pass(event);
        if let Some(event) = &event {
            book.passed(event);
        }
        let said = match event {
            None => String::new(),
            Some(Event::Init) => "init".into(),
            Some(Event::InitDone) => "done".into(),
            Some(Event::InitApply(object)) => format!("lists {}", object.name_any()),
            Some(Event::Apply(object)) => format!("has {}", object.name_any()),
            Some(Event::Delete(object)) => format!("lost {}", object.name_any()),
        };
        let all = book.all().into_iter();
        let names = all.map(|object| object.metadata.name.clone().unwrap());
        (said, names.collect::<Vec<_>>().join(" "))
    }

    /// Follows all; each row is an event, what becomes of it, and the book then.
    fn check(rows: impl IntoIterator<Item = (Read, &'static str, &'static str)>) {
        let metrics = Metrics::new();
        let book = Unreadable::new(&metrics);
        for (at, (event, said, names)) in rows.into_iter().enumerate() {
            let found = follow(&book, event);
            assert_eq!(found, (said.to_owned(), names.to_owned()), "row {at}");
            let count = names.split_whitespace().count();
            let gauge = format!("provost_unreadable_objects{{kind=\"ProofRequest\"}} {count}\n");
            assert!(
                metrics.render().contains(&gauge),
                "row {at}: {}",
                metrics.render()
            );
        }
    }

    #[test]
    fn what_can_be_read_passes() {
        check([
            (Event::Init, "init", ""),
            (Event::InitApply(known("a")), "lists a", ""),
            (Event::InitDone, "done", ""),
            (Event::Apply(known("a")), "has a", ""),
            (Event::Delete(known("a")), "lost a", ""),
        ]);
    }

    #[test]
    fn one_that_a_list_has_is_not_there_until_it_can_be_read() {
        check([
            (Event::Init, "init", ""),
            (Event::InitApply(unknown("a")), "", "a"),
            (Event::InitApply(known("b")), "lists b", "a"),
            (Event::InitDone, "done", "a"),
            (Event::Apply(known("b")), "has b", "a"),
            (Event::Apply(known("a")), "has a", ""),
        ]);
    }

    #[test]
    fn one_that_changes_so_that_it_cannot_be_read_is_gone() {
        check([
            (Event::Apply(known("a")), "has a", ""),
            (Event::Apply(unknown("a")), "lost a", "a"),
            (Event::Delete(unknown("a")), "lost a", ""),
        ]);
    }

    #[test]
    fn a_new_list_tells_which_are_left() {
        check([
            (Event::Apply(unknown("a")), "lost a", "a"),
            (Event::Apply(unknown("b")), "lost b", "a b"),
            (Event::Apply(unknown("c")), "lost c", "a b c"),
            (Event::Init, "init", "a b c"),
            (Event::InitApply(unknown("b")), "", "a b c"),
            (Event::InitApply(known("c")), "lists c", "a b c"),
            (Event::InitDone, "done", "b"),
        ]);
    }

    #[test]
    fn one_that_is_being_deleted_has_its_metadata() {
        check([
            (Event::Apply(leaving("a")), "has a", "a"),
            (Event::Init, "init", "a"),
            (Event::InitApply(leaving("a")), "lists a", "a"),
            (Event::InitDone, "done", "a"),
            (Event::Delete(leaving("a")), "lost a", ""),
        ]);
    }

    #[test]
    fn one_that_can_be_read_again_stays_in_the_book_until_the_cache_has_it() {
        let book = Unreadable::new(&Metrics::new());
        follow(&book, Event::Apply(unknown("a")));
        let event = book.pass(Event::Apply(known("a"))).unwrap();
        assert_eq!(book.any().as_deref(), Some("ns/a"));
        book.passed(&event);
        assert_eq!(book.any(), None);
    }
}

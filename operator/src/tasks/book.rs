//! Which ProvingTasks there are, and which have gone. Pure: watch events in, deletions out, each once.
//!
//! A watch that breaks may have to begin with a list again, and an object that was made and deleted in between is in neither. So what is to be in
//! the list is told before it is asked for: see [`TaskBook::expect`].

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;
use provost_crds::ProvingTask;

use crate::state::TaskObject;

/// The objects, by uid.
#[derive(Debug, Default)]
pub(super) struct TaskBook {
    objects: HashMap<String, TaskObject>,
    /// Those of the list that is being received.
    listed: Option<HashSet<String>>,
}

impl TaskBook {
    /// These objects are there: what a list that is asked for from now on does not have is gone.
    pub(super) fn expect(&mut self, objects: Vec<TaskObject>) {
        let objects = objects
            .into_iter()
            .map(|object| (object.uid.clone(), object));
        self.objects.extend(objects);
    }

    /// Follows an event of the watch; returns what is gone with it.
    pub(super) fn follow(&mut self, event: Event<ProvingTask>) -> Vec<TaskObject> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(task) | Event::Apply(task) => {
                if let Some(object) = TaskObject::of(task) {
                    if let Some(listed) = &mut self.listed {
                        listed.insert(object.uid.clone());
                    }
                    self.objects.insert(object.uid.clone(), object);
                }
                Vec::new()
            }
            Event::InitDone => self.relisted(),
            Event::Delete(task) => {
                let gone =
                    TaskObject::of(task).filter(|gone| self.objects.remove(&gone.uid).is_some());
                gone.into_iter().collect()
            }
        }
    }

    /// What went while nobody watched. A task that has another object by now runs again already.
    fn relisted(&mut self) -> Vec<TaskObject> {
        let Some(listed) = self.listed.take() else {
            return Vec::new();
        };
        let (here, away) = std::mem::take(&mut self.objects)
            .into_iter()
            .partition(|(uid, _)| listed.contains(uid));
        self.objects = here;
        let there: HashSet<&str> = self.objects.values().map(|o| o.task.as_str()).collect();
        let away: HashMap<String, TaskObject> = away;
        away.into_values()
            .filter(|gone| !there.contains(gone.task.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn object(uid: &str, task: &str) -> ProvingTask {
        let mut object = ProvingTask::new(&format!("p-{task}"), Default::default());
        object.spec.task_id = task.into();
        object.metadata.namespace = Some("ns".into());
        object.metadata.uid = Some(uid.into());
        object.metadata.owner_references = Some(vec![OwnerReference {
            name: "p".into(),
            uid: "owner".into(),
            ..OwnerReference::default()
        }]);
        object
    }

    fn follow(book: &mut TaskBook, event: Event<ProvingTask>) -> Vec<String> {
        let mut gone: Vec<_> = book.follow(event).into_iter().map(|g| g.task).collect();
        gone.sort();
        gone
    }

    #[test]
    fn a_deletion_is_told_once() {
        let mut book = TaskBook::default();
        assert!(follow(&mut book, Event::Apply(object("1", "t"))).is_empty());
        assert_eq!(follow(&mut book, Event::Delete(object("1", "t"))), ["t"]);
        assert!(follow(&mut book, Event::Delete(object("1", "t"))).is_empty());
    }

    #[test]
    fn what_went_while_the_watch_was_broken_is_told_when_it_is_back() {
        let mut book = TaskBook::default();
        for (uid, task) in [("1", "stays"), ("2", "goes"), ("3", "comes-back")] {
            follow(&mut book, Event::Apply(object(uid, task)));
        }
        follow(&mut book, Event::Init);
        for (uid, task) in [("1", "stays"), ("4", "comes-back")] {
            follow(&mut book, Event::InitApply(object(uid, task)));
        }
        assert_eq!(follow(&mut book, Event::InitDone), ["goes"]);
        assert!(follow(&mut book, Event::Delete(object("2", "goes"))).is_empty());
    }

    #[test]
    fn what_came_and_went_while_the_watch_was_broken_is_told_when_it_is_back() {
        let mut book = TaskBook::default();
        follow(&mut book, Event::Apply(object("1", "known")));
        let there = [("1", "known"), ("2", "unseen"), ("3", "goes")];
        let there = there.map(|(uid, task)| TaskObject::of(object(uid, task)).unwrap());
        book.expect(there.to_vec());
        follow(&mut book, Event::Init);
        for (uid, task) in [("1", "known"), ("2", "unseen"), ("4", "new")] {
            follow(&mut book, Event::InitApply(object(uid, task)));
        }
        assert_eq!(follow(&mut book, Event::InitDone), ["goes"]);
        assert_eq!(
            follow(&mut book, Event::Delete(object("2", "unseen"))),
            ["unseen"]
        );
    }
}

//! The workers: what they can run, what they hold, and which of them a task goes to.

mod index;
mod ladder;
mod pick;
mod reservation;
mod rooms;
mod tree;
mod verify;
mod worker;

use index::{Filter, Index};
pub(crate) use pick::Want;
use rooms::Rooms;
pub(crate) use worker::Hold;
use worker::Worker;
pub use worker::{Pod, WorkerKind, WorkerSpec, WorkerView};

use crate::arena::Arena;
use crate::keys::{HoldKey, TaskKey, TenantKey, WorkerKey};
use crate::shape::{Class, Shape};

/// The workers.
#[derive(Default)]
pub(crate) struct Fleet {
    workers: Arena<WorkerKey, Worker>,
    holds: Arena<HoldKey, Hold>,
    indexes: Vec<Index>,
    rooms: Vec<Rooms>,
    shapes: Vec<Known>,
    /// How many workers are on spot nodes. Without any, the indexes that leave those out are not kept: they would say what the others say.
    spots: usize,
    /// The workers that are kept for something. Never more than there are shapes.
    reserved: Vec<u32>,
    /// How many lasting tasks of the class wait for their first child to be placed.
    expecting: [u32; 2],
    /// Goes up whenever a task of the class may fit that did not before.
    epochs: [u64; 2],
    /// Goes up whenever a worker may have become fit to be kept for something.
    changes: u64,
}

/// Where to look for workers for a shape.
struct Known {
    filter: Indexes,
    lasting: Option<Lasting>,
}

/// Where to look, besides, for a lasting shape.
struct Lasting {
    rooms: usize,
    /// Those of workers that are not on spot nodes, if it had better go to one.
    steady_rooms: Option<usize>,
    /// The workers that it takes no place from.
    sparing: Indexes,
}

/// The index of a filter, and that of the same without spot nodes.
#[derive(Clone, Copy)]
struct Indexes {
    all: usize,
    steady: Option<usize>,
}

impl Fleet {
    /// Learns the next shape: they come in the order of their numbers.
    pub(crate) fn learn(&mut self, shape: &Shape) {
        let filter = self.indexes_for(Filter::of(shape), shape.steady);
        let lasting = shape.lasts().then(|| Lasting {
            rooms: self.rooms_for(shape, false),
            steady_rooms: shape.steady.then(|| self.rooms_for(shape, true)),
            sparing: self.indexes_for(Filter::sparing(shape), shape.steady),
        });
        self.shapes.push(Known { filter, lasting });
    }

    fn indexes_for(&mut self, filter: Filter, steady: bool) -> Indexes {
        Indexes {
            all: self.index_for(filter),
            steady: steady.then(|| self.index_for(filter.steady())),
        }
    }

    fn index_for(&mut self, filter: Filter) -> usize {
        let found = self.indexes.iter().position(|i| i.filter == filter);
        found.unwrap_or_else(|| {
            let mut index = Index::new(filter);
            for (key, worker) in self.workers.iter() {
                index.refresh(number(key), worker);
            }
            self.indexes.push(index);
            self.indexes.len() - 1
        })
    }

    fn rooms_for(&mut self, shape: &Shape, steady: bool) -> usize {
        let of = |r: &Rooms| (r.class, r.requirement, r.steady);
        let same = |r: &Rooms| of(r) == (shape.class, shape.requirement, steady);
        let found = self.rooms.iter().position(same).unwrap_or_else(|| {
            let mut rooms = Rooms::new(shape.class, shape.requirement, steady);
            for (key, worker) in self.workers.iter() {
                let room = rooms.room(worker);
                rooms.set(number(key), room);
            }
            self.rooms.push(rooms);
            self.rooms.len() - 1
        });
        self.rooms[found].learn(shape.reserve);
        found
    }

    pub(crate) fn add(&mut self, spec: WorkerSpec) -> WorkerKey {
        let first_spot = spec.spot && self.spots == 0;
        self.spots += usize::from(spec.spot);
        let key = self.workers.insert(Worker {
            spec,
            open: true,
            lasting: 0,
            by_class: [0; 2],
            proving: 0,
            slots: 0,
            holds: Vec::new(),
            reserved: None,
        });
        if first_spot {
            self.keep_steady();
        }
        self.came(key);
        key
    }

    /// The indexes that leave out spot nodes are needed from now on.
    fn keep_steady(&mut self) {
        let steady = self.indexes.iter_mut();
        for index in steady.filter(|index| index.filter.is_steady()) {
            *index = Index::new(index.filter);
            for (key, worker) in self.workers.iter() {
                index.refresh(number(key), worker);
            }
        }
    }

    /// Forgets a worker. What it held is no more, and comes back.
    pub(crate) fn remove(&mut self, key: WorkerKey) -> Option<Vec<Hold>> {
        self.workers.get(key)?;
        self.unreserve(number(key));
        if let Some(worker) = self.workers.get_mut(key) {
            worker.open = false;
        }
        self.refresh(number(key));
        let worker = self.workers.remove(key)?;
        self.spots -= usize::from(worker.spec.spot);
        for hold in &worker.holds {
            self.expect_no_more(*hold);
        }
        let holds = worker.holds.into_iter();
        Some(holds.filter_map(|hold| self.holds.remove(hold)).collect())
    }

    /// Says whether a worker takes tasks; `false` if there is none such.
    pub(crate) fn set_open(&mut self, key: WorkerKey, open: bool) -> bool {
        let Some(worker) = self.workers.get_mut(key) else {
            return false;
        };
        worker.open = open;
        self.came(key);
        true
    }

    /// Says how much a worker's tasks may take up; `false` if there is none such.
    pub(crate) fn set_capacity(&mut self, key: WorkerKey, capacity: u32) -> bool {
        let Some(worker) = self.workers.get_mut(key) else {
            return false;
        };
        worker.spec.capacity = capacity;
        self.came(key);
        true
    }

    /// Says more of a worker's pod; `false` if there is none such. It may run the same as before.
    pub(crate) fn set_pod(&mut self, key: WorkerKey, pod: Pod) -> bool {
        let worker = self.workers.get_mut(key);
        worker.map(|worker| worker.spec.pod = pod).is_some()
    }

    /// Says how many tasks a worker proves at once; `false` if there is none such.
    pub(crate) fn set_provers(&mut self, key: WorkerKey, provers: Option<u32>) -> bool {
        let Some(worker) = self.workers.get_mut(key) else {
            return false;
        };
        worker.spec.provers = provers;
        self.came(key);
        true
    }

    /// Takes up room on a worker. `beside`: it may be there still when a task that the worker is kept for is to start.
    pub(crate) fn hold(
        &mut self,
        worker: u32,
        shape: &Shape,
        tenant: TenantKey,
        task: TaskKey,
        beside: bool,
    ) -> Option<HoldKey> {
        let w = self.workers.at_mut(worker)?;
        let mut hold = Hold {
            worker,
            class: shape.class,
            weight: shape.weight,
            tenant,
            task: Some(task),
            lasts: shape.lasts(),
            expects: false,
            slot: shape.slot,
            beside: false,
            place: u32::try_from(w.holds.len()).unwrap_or(u32::MAX),
        };
        let weight = u64::from(hold.weight);
        if hold.lasts {
            w.lasting += weight;
        }
        w.by_class[hold.class.index()] += weight;
        w.proving += u32::from(hold.class == Class::Gpu);
        if let Some(slot) = hold.slot {
            w.slots |= slot.mask();
        }
        if let Some(reserved) = &mut w.reserved
            && (beside || hold.lasts)
        {
            hold.beside = true;
            reserved.beside += weight;
        }
        let key = self.holds.insert(hold);
        w.holds.push(key);
        self.refresh(worker);
        Some(key)
    }

    /// Frees what was taken up.
    pub(crate) fn release(&mut self, key: HoldKey) -> Option<Hold> {
        self.expect_no_more(key);
        let hold = self.holds.remove(key)?;
        let w = self.workers.at_mut(hold.worker)?;
        w.holds.swap_remove(hold.place as usize);
        if let Some(moved) = w.holds.get(hold.place as usize)
            && let Some(moved) = self.holds.get_mut(*moved)
        {
            moved.place = hold.place;
        }
        let weight = u64::from(hold.weight);
        w.by_class[hold.class.index()] -= weight;
        w.proving -= u32::from(hold.class == Class::Gpu);
        if hold.lasts {
            w.lasting -= weight;
            self.changes += 1;
        }
        if hold.beside
            && let Some(reserved) = &mut w.reserved
        {
            reserved.beside -= weight;
        }
        if hold.slot.is_some() {
            let left = w.holds.iter().filter_map(|h| self.holds.get(*h)?.slot);
            w.slots = left.fold(0, |slots, slot| slots | slot.mask());
        }
        self.refresh(hold.worker);
        self.made_room(hold.worker);
        Some(hold)
    }

    /// Leaves a hold without its task: the room stays taken.
    pub(crate) fn strand(&mut self, key: HoldKey) -> Option<Hold> {
        self.expect_no_more(key);
        let hold = self.holds.get_mut(key)?;
        hold.task = None;
        Some(*hold)
    }

    /// A lasting task will shortly have a child to be placed; `false` for one that does not last.
    pub(crate) fn expect(&mut self, key: HoldKey) -> bool {
        let Some(hold) = self.holds.get_mut(key).filter(|hold| hold.lasts) else {
            return false;
        };
        if !hold.expects {
            hold.expects = true;
            self.expecting[hold.class.index()] += 1;
        }
        true
    }

    pub(crate) fn expects(&self, key: HoldKey) -> bool {
        self.holds.get(key).is_some_and(|hold| hold.expects)
    }

    /// A child of the class is placed: a lasting task of that class expects none any more. Whether it expects none at all.
    pub(crate) fn settle(&mut self, key: HoldKey, class: Class) -> bool {
        let Some(hold) = self.holds.get_mut(key).filter(|hold| hold.expects) else {
            return true;
        };
        let settled = hold.class == class;
        if settled {
            self.expect_no_more(key);
        }
        settled
    }

    fn expect_no_more(&mut self, key: HoldKey) {
        if let Some(hold) = self.holds.get_mut(key)
            && std::mem::take(&mut hold.expects)
        {
            self.expecting[hold.class.index()] -= 1;
            self.epochs[hold.class.index()] += 1;
        }
    }

    pub(crate) fn hold_of(&self, key: HoldKey) -> Option<&Hold> {
        self.holds.get(key)
    }

    pub(crate) fn key(&self, worker: u32) -> Option<WorkerKey> {
        self.workers.key_at(worker)
    }

    /// The index of a worker that is there.
    pub(crate) fn number(&self, key: WorkerKey) -> Option<u32> {
        self.workers.get(key).map(|_| number(key))
    }

    pub(crate) fn view(&self, key: WorkerKey) -> Option<WorkerView> {
        self.workers.get(key).map(Worker::view)
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = (WorkerKey, WorkerView)> {
        self.workers
            .iter()
            .map(|(key, worker)| (key, worker.view()))
    }

    pub(crate) fn specs(&self) -> impl Iterator<Item = (&WorkerSpec, WorkerView)> {
        self.workers.iter().map(|(_, w)| (&w.spec, w.view()))
    }

    /// Whether it would help a task of the shape if a worker were empty.
    pub(crate) fn could_be_kept(&self, worker: u32, shape: &Shape) -> bool {
        self.workers.at(worker).is_some_and(|w| {
            w.suits(shape) && u64::from(w.spec.capacity) >= shape.weight_with_child()
        })
    }

    pub(crate) const fn epoch(&self, class: Class) -> u64 {
        self.epochs[class.index()]
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    fn came(&mut self, key: WorkerKey) {
        self.changes += 1;
        self.refresh(number(key));
        self.made_room(number(key));
    }

    fn made_room(&mut self, number: u32) {
        if let Some(worker) = self.workers.at(number) {
            for class in Class::ALL {
                let serves = worker.spec.kind.serves(class);
                self.epochs[class.index()] += u64::from(serves);
            }
        }
    }

    /// Keeps the indexes right after a change of a worker.
    fn refresh(&mut self, number: u32) {
        let Some(worker) = self.workers.at(number) else {
            return;
        };
        let steady = self.spots > 0;
        let kept = |index: &&mut Index| steady || !index.filter.is_steady();
        for index in self.indexes.iter_mut().filter(kept) {
            if index.refresh(number, worker) {
                self.epochs[index.filter.class().index()] += 1;
            }
        }
        for rooms in &mut self.rooms {
            let room = rooms.room(worker);
            rooms.set(number, room);
        }
    }
}

fn number(key: WorkerKey) -> u32 {
    u32::try_from(key.index()).unwrap_or(u32::MAX)
}

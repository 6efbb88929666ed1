//! The tasks that wait, in the order in which they are to run.
//!
//! Each [`Shape`] has its queue. In it the tasks of a proof make an *entry*, the entries of a tenant a *lane*. Lanes are in a heap by the key of their first task,
//! entries in a heap within their lane, tasks in a tree within their entry: the first task of a shape is at the top, and what a tenant or a proof has can change
//! in a time that does not grow with the number of tasks. A proof that may run no more has its entries taken out of their lanes, and costs nothing until it may.

mod entry;
mod lane;
mod line;
mod verify;

use std::collections::BTreeMap;

use slab::Slab;

use entry::Entry;
pub(crate) use entry::{By, EntryId, Seat};
use lane::{Lane, LaneId, LaneName};

use crate::heap::Heap;
use crate::keys::TaskKey;
use crate::order::{Key, Rank};
use crate::shape::{Class, Shape, ShapeId};

/// The tasks that wait.
#[derive(Default)]
pub(crate) struct Queue {
    shapes: Vec<ShapeQueue>,
    /// The key of the first task of each shape, side by side: every decision looks at all of them.
    heads: Vec<Option<Key>>,
    ids: BTreeMap<Shape, ShapeId>,
    entries: Slab<Entry>,
    /// The place of each entry in its lane's heap, side by side: one that moves there moves others too, and these have no other part in it.
    places: Vec<u32>,
    lanes: Slab<Lane>,
    tenants: Vec<TenantLanes>,
    len: usize,
}

struct ShapeQueue {
    shape: Shape,
    lanes: Heap<Key>,
    /// Where the lanes of each name are.
    names: BTreeMap<LaneName, LaneId>,
    len: usize,
}

impl ShapeQueue {
    fn head(&self) -> Option<Key> {
        self.lanes.first().map(|(key, _)| key)
    }
}

/// A tenant's lanes and standing by class.
#[derive(Default)]
struct TenantLanes {
    lanes: [Vec<LaneId>; 2],
    standing: [u64; 2],
}

/// A change of what a proof and its tenant have of a class.
pub(crate) struct Shift<'a> {
    pub(crate) class: Class,
    /// A task that leaves the queue with that.
    pub(crate) take: Option<(EntryId, Rank)>,
    /// The proof's entries; those of other classes stay.
    pub(crate) entries: &'a [(ShapeId, EntryId)],
    /// Where they stand now.
    pub(crate) seat: Option<Seat>,
    /// The tenant's index.
    pub(crate) tenant: u32,
    /// How the tenant stands now.
    pub(crate) standing: u64,
}

impl Queue {
    /// The number of a shape; new ones get one.
    pub(crate) fn shape_id(&mut self, shape: Shape) -> ShapeId {
        if let Some(id) = self.ids.get(&shape) {
            return *id;
        }
        let id = ShapeId::try_from(self.shapes.len()).unwrap_or(ShapeId::MAX);
        self.ids.insert(shape, id);
        self.shapes.push(ShapeQueue {
            shape,
            lanes: Heap::default(),
            names: BTreeMap::new(),
            len: 0,
        });
        self.heads.push(None);
        id
    }

    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id as usize].shape
    }

    pub(crate) fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// How many tasks wait, those of proofs that are stepped over included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The same, of one shape.
    pub(crate) fn len_of(&self, shape: ShapeId) -> usize {
        self.shapes[shape as usize].len
    }

    /// Makes an empty entry.
    /// Whether an entry has tasks, stepped over or not.
    pub(crate) fn waits(&self, id: EntryId) -> bool {
        let entry = self.entries.get(id as usize);
        entry.is_some_and(|entry| entry.tasks.len() > 0)
    }

    pub(crate) fn open(&mut self, shape: ShapeId, seat: Option<Seat>) -> EntryId {
        let id = self.entries.insert(Entry::new(shape, seat));
        if self.places.len() <= id {
            self.places.resize(id + 1, 0);
        }
        number(id)
    }

    /// Forgets an entry. Its tasks are gone already.
    pub(crate) fn close(&mut self, id: EntryId) {
        self.leave(id);
        if let Some(entry) = self.entries.try_remove(id as usize) {
            self.len -= entry.tasks.len();
            self.shapes[entry.shape as usize].len -= entry.tasks.len();
        }
    }

    pub(crate) fn insert(&mut self, id: EntryId, rank: Rank, task: TaskKey) {
        let entry = &mut self.entries[id as usize];
        let first = entry.tasks.insert(rank, task);
        self.len += 1;
        self.shapes[entry.shape as usize].len += 1;
        if first {
            self.settle(id, None);
        }
    }

    pub(crate) fn remove(&mut self, id: EntryId, rank: Rank) {
        if self.take(id, rank) {
            self.settle(id, None);
        }
    }

    /// Gives an entry another seat, or takes it away while its proof is to be stepped over.
    pub(crate) fn seat(&mut self, id: EntryId, seat: Option<Seat>) {
        self.reseat(id, seat, None);
    }

    /// A tenant has more or less than before: all of its lanes of the class move.
    pub(crate) fn set_standing(&mut self, tenant: u32, class: Class, standing: u64) {
        self.tenant(tenant).standing[class.index()] = standing;
        let Self {
            shapes,
            heads,
            lanes,
            tenants,
            ..
        } = self;
        for &id in &tenants[tenant as usize].lanes[class.index()] {
            let lane = &lanes[id as usize];
            if let Some(key) = lane.key(standing) {
                let (place, shape) = (lane.place, lane.shape as usize);
                shapes[shape]
                    .lanes
                    .update(place, key, &mut |l, p| lanes[l as usize].place = p);
                heads[shape] = shapes[shape].head();
            }
        }
    }

    /// What a proof and its tenant have has changed: moves all that depends on it, once.
    pub(crate) fn shift(&mut self, shift: &Shift<'_>) {
        if let Some((id, rank)) = shift.take {
            self.take(id, rank);
        }
        for (shape, id) in shift.entries {
            if self.shape(*shape).class == shift.class {
                self.reseat(*id, shift.seat, Some(shift.tenant));
            }
        }
        self.set_standing(shift.tenant, shift.class, shift.standing);
    }

    /// The places in the order of the first tasks of the shapes.
    pub(crate) fn heads(&self) -> &[Option<Key>] {
        &self.heads
    }

    /// The same of one shape.
    pub(crate) fn head(&self, shape: ShapeId) -> Option<Key> {
        self.heads[shape as usize]
    }

    /// The first task of a shape.
    pub(crate) fn first(&self, shape: ShapeId) -> Option<TaskKey> {
        let (_, lane) = self.shapes[shape as usize].lanes.first()?;
        let (_, entry) = self.lanes[lane as usize].entries.first()?;
        let (_, task) = self.entries[entry as usize].tasks.first()?;
        Some(task)
    }

    fn tenant(&mut self, tenant: u32) -> &mut TenantLanes {
        let index = tenant as usize;
        if self.tenants.len() <= index {
            self.tenants.resize_with(index + 1, TenantLanes::default);
        }
        &mut self.tenants[index]
    }

    fn take(&mut self, id: EntryId, rank: Rank) -> bool {
        let entry = &mut self.entries[id as usize];
        let taken = entry.tasks.remove(rank);
        if taken {
            self.len -= 1;
            self.shapes[entry.shape as usize].len -= 1;
        }
        taken
    }

    fn reseat(&mut self, id: EntryId, seat: Option<Seat>, later: Option<u32>) {
        let entry = &mut self.entries[id as usize];
        if entry.seat != seat {
            if entry.seat.map(LaneName::of) != seat.map(LaneName::of) {
                self.leave(id);
            }
            self.entries[id as usize].seat = seat;
        }
        self.settle(id, later);
    }

    /// Puts an entry where it now belongs, and its lane, unless that is one of the tenant whose lanes are all to be moved later.
    fn settle(&mut self, id: EntryId, later: Option<u32>) {
        let entry = &self.entries[id as usize];
        match (entry.lane, entry.key()) {
            (None, None) => {}
            (Some(_), None) => self.leave(id),
            (Some(lane), Some(key)) => {
                let (place, places) = (self.places[id as usize], &mut self.places);
                let found = &mut self.lanes[lane as usize];
                found
                    .entries
                    .update(place, key, &mut |e, p| places[e as usize] = p);
                if later.is_none() || found.name.tenant != later {
                    self.settle_lane(lane);
                }
            }
            (None, Some(key)) => {
                let Some(seat) = entry.seat else { return };
                let (lane, is_new) = self.lane_for(entry.shape, LaneName::of(seat));
                self.entries[id as usize].lane = Some(lane);
                let places = &mut self.places;
                self.lanes[lane as usize]
                    .entries
                    .push(key, id, &mut |e, p| places[e as usize] = p);
                if is_new {
                    self.enter_lane(lane);
                } else {
                    self.settle_lane(lane);
                }
            }
        }
    }

    /// Takes an entry out of its lane.
    fn leave(&mut self, id: EntryId) {
        let entry = &mut self.entries[id as usize];
        let Some(lane) = entry.lane.take() else {
            return;
        };
        let (place, places) = (self.places[id as usize], &mut self.places);
        self.lanes[lane as usize]
            .entries
            .remove(place, &mut |e, p| places[e as usize] = p);
        if self.lanes[lane as usize].entries.is_empty() {
            self.drop_lane(lane);
        } else {
            self.settle_lane(lane);
        }
    }

    fn lane_for(&mut self, shape: ShapeId, name: LaneName) -> (LaneId, bool) {
        if let Some(id) = self.shapes[shape as usize].names.get(&name) {
            return (*id, false);
        }
        let id = number(self.lanes.insert(Lane {
            shape,
            name,
            entries: Heap::default(),
            place: 0,
        }));
        let queue = &mut self.shapes[shape as usize];
        queue.names.insert(name, id);
        let class = queue.shape.class.index();
        if let Some(tenant) = name.tenant {
            self.tenant(tenant).lanes[class].push(id);
        }
        (id, true)
    }

    fn lane_key(&self, id: LaneId) -> Option<Key> {
        let lane = &self.lanes[id as usize];
        let class = self.shapes[lane.shape as usize].shape.class.index();
        let side = lane.name.tenant.and_then(|t| self.tenants.get(t as usize));
        lane.key(side.map_or(0, |side| side.standing[class]))
    }

    fn enter_lane(&mut self, id: LaneId) {
        let Some(key) = self.lane_key(id) else { return };
        let (shape, lanes) = (self.lanes[id as usize].shape, &mut self.lanes);
        self.shapes[shape as usize]
            .lanes
            .push(key, id, &mut |l, p| lanes[l as usize].place = p);
        self.heads[shape as usize] = self.shapes[shape as usize].head();
    }

    fn settle_lane(&mut self, id: LaneId) {
        let Some(key) = self.lane_key(id) else { return };
        let lane = &self.lanes[id as usize];
        let (place, shape) = (lane.place, lane.shape as usize);
        let lanes = &mut self.lanes;
        self.shapes[shape]
            .lanes
            .update(place, key, &mut |l, p| lanes[l as usize].place = p);
        self.heads[shape] = self.shapes[shape].head();
    }

    fn drop_lane(&mut self, id: LaneId) {
        let lane = self.lanes.remove(id as usize);
        let (queue, lanes) = (&mut self.shapes[lane.shape as usize], &mut self.lanes);
        queue.names.remove(&lane.name);
        queue
            .lanes
            .remove(lane.place, &mut |l, p| lanes[l as usize].place = p);
        self.heads[lane.shape as usize] = queue.head();
        let class = queue.shape.class.index();
        if let Some(tenant) = lane.name.tenant {
            let list = &mut self.tenant(tenant).lanes[class];
            if let Some(at) = list.iter().position(|l| *l == id) {
                list.swap_remove(at);
            }
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

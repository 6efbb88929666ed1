//! Watches that go on whatever other versions wrote.

use futures::{Stream, TryStreamExt, future};
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt, reflector};

use super::{Kind, Unreadable};

/// Watches what can be read of a kind, and tells `unreadable` of the rest; who follows it tells [`Unreadable::passed`].
pub fn watch<K: Kind>(
    api: Api<DeserializeGuard<K>>,
    config: Config,
    unreadable: Unreadable<K>,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    watcher(api, config).try_filter_map(move |event| future::ok(unreadable.pass(event)))
}

/// As [`Controller::new`], of what can be read. `shrink` takes from objects what the cache need not have; `seen` is told of what the cache has.
pub fn controller<K: Kind>(
    api: Api<DeserializeGuard<K>>,
    config: Config,
    unreadable: Unreadable<K>,
    shrink: impl FnMut(&mut K) + Send + 'static,
    mut seen: impl FnMut(&Event<K>) + Send + 'static,
) -> Controller<K> {
    let (cache, writer) = reflector::store();
    let objects = watch(api, config, unreadable.clone())
        .modify(shrink)
        .reflect(writer)
        .inspect_ok(move |event| {
            unreadable.passed(event);
            seen(event);
        })
        .applied_objects();
    Controller::for_stream(objects, cache)
}

//! Replicas: elections, commands on their way out, and what the API server has.

use super::*;

impl World {
    pub(super) fn react<R>(
        &mut self,
        replica: usize,
        event: impl FnOnce(&mut Reactor<'_>) -> R,
    ) -> Option<R> {
        let life = self.replicas[replica].life?;
        let (result, commands) = self.replicas[replica].react(self.now, event);
        let epoch = self.replicas[replica].core.epoch();
        let mut frames: BTreeMap<u64, Vec<Down>> = BTreeMap::new();
        for command in commands {
            match command {
                Command::Tell(conn, message) => frames.entry(conn).or_default().push(message),
                Command::Close(conn) => {
                    if let Some(frame) = frames.remove(&conn) {
                        self.send_down(conn, frame);
                    }
                    self.break_stream(conn, (0, 50), None);
                }
                Command::Order(worker, order) => {
                    // A worker that is gone can not be told to stop, whichever door it came by.
                    let cancel = matches!(order, Order::Cancel { .. });
                    let came = self.stock_ordered(&worker, order);
                    assert!(came || cancel, "{worker} did not come by the stock door");
                }
                Command::Begin(start) => {
                    let after = self.rng.range(0, 60);
                    let what = Stored::Begin(start);
                    self.at(after, Event::Stored(replica, life, epoch, what));
                }
                Command::Finish(outcome) => {
                    let after = self.rng.range(0, 400);
                    let what = Stored::Finish(outcome);
                    self.at(after, Event::Stored(replica, life, epoch, what));
                }
                Command::Lost(pod) => {
                    if let Some(process) = self.process_of(&pod) {
                        let heard = self.hears(replica, process);
                        self.ledger.given_up(process, heard);
                    }
                }
                Command::Registered(pod) => {
                    if let Some(process) = self.process_of(&pod) {
                        self.ledger.is_back(process);
                    }
                }
                Command::Recycle(pod) if self.stock.iter().any(|s| s.id.pod() == pod) => {
                    // What it was told to stop may have been lost with its stream.
                    let node = self.stock.iter().position(|s| s.id.pod() == pod);
                    self.kill_stock(node.unwrap(), Some(0));
                }
                Command::Recycle(pod) => {
                    // Every process here stops what it hears that it is to stop.
                    let leads = self.leader == Some((replica, life));
                    assert!(!leads, "{pod} is replaced for what it has not heard");
                }
                Command::Deposed(epoch) => {
                    self.deposed.insert(epoch);
                    let after = self.rng.range(0, 100);
                    self.at(after, Event::StepDown(replica, life));
                }
            }
        }
        for (conn, frame) in frames {
            self.send_down(conn, frame);
        }
        Some(result)
    }

    pub(super) fn tick(&mut self) {
        for replica in 0..REPLICAS {
            self.react(replica, |r| r.tick());
            if let Err(error) = self.replicas[replica].core.check() {
                panic!("replica {replica}: {error}");
            }
        }
        self.at(100, Event::Tick);
    }

    /// Someone takes the Lease, if nobody has it.
    pub(super) fn elect(&mut self) {
        if self.leader.is_some() {
            return;
        }
        if self.now < self.api_away_until {
            self.at(300, Event::Elect);
            return;
        }
        let up: Vec<_> = (0..REPLICAS)
            .filter(|i| self.replicas[*i].life.is_some())
            .collect();
        let Some(&replica) = up.get(self.rng.pick(up.len())) else {
            self.at(300, Event::Elect);
            return;
        };
        let life = self.replicas[replica].life.unwrap();
        self.epoch = self.epoch.max(self.replicas[replica].core.seen_epoch()) + 1;
        let open = self.durable.values().filter(|d| d.outcome.is_none());
        let recovered = open.filter_map(|d| {
            let begun = d.begun.clone()?;
            Some(RecoveredProof {
                spec: d.spec.clone(),
                run: begun.run,
                root: begun.root,
                attempts: begun.attempts,
                gpu_ms: 0,
                shards: begun.shards,
                succeeded: Default::default(),
                finished: false,
            })
        });
        let term = Term {
            expected: self
                .workers
                .iter()
                .filter(|w| w.alive)
                .map(|w| w.process.pod.clone())
                .chain(
                    self.stock
                        .iter()
                        .filter(|s| s.alive && self.stock_in_pool)
                        .map(|s| s.id.pod().to_owned()),
                )
                .collect(),
            proofs: recovered.collect(),
            ..Term::first(self.epoch)
        };
        self.say(|| format!("replica {replica} leads in epoch {}", term.epoch));
        self.leader = Some((replica, life));
        self.react(replica, |r| r.lead(term));
        for id in self.durable.keys().cloned().collect::<Vec<_>>() {
            self.pursue(&id);
        }
    }

    /// The operator sees to it that the leader has a proof.
    pub(super) fn pursue(&mut self, id: &ProofId) {
        let Some((replica, _)) = self.leader else {
            return;
        };
        let durable = &self.durable[id];
        if durable.outcome.is_some() {
            return;
        }
        if self.replicas[replica].core.proof(id).is_none() {
            let spec = durable.spec.clone();
            self.react(replica, |r| r.proof_submitted(spec));
        }
        if self.durable[id].cancelled {
            self.react(replica, |r| r.proof_cancelled(id, "not wanted"));
        }
    }

    /// Something has reached the API server, which takes it only from the holder of the Lease.
    pub(super) fn stored(&mut self, replica: usize, life: u64, epoch: u64, what: Stored) {
        if epoch != self.epoch {
            return;
        }
        // Who stores tries again and again, each thing by itself.
        if self.now < self.api_away_until {
            let after = self.api_away_until - self.now + self.rng.range(0, 5_000);
            self.at(after, Event::Stored(replica, life, epoch, what));
            return;
        }
        let (id, event): (ProofId, Saying) = match what {
            Stored::Begin(start) => {
                let durable = self.durable.get_mut(&start.proof).unwrap();
                let before = durable.begun.as_ref();
                // Of two runs the later counts, whichever is stored first.
                let later = before.is_none_or(|before| start.run > before.run);
                if durable.outcome.is_none() && later {
                    if let Some(before) = before {
                        let run = (start.proof.to_string(), before.run);
                        self.ledger.begun_again(&run, &before.root);
                    }
                    durable.begun = Some(start.clone());
                }
                let run = start.run;
                (
                    start.proof.clone(),
                    Box::new(move |r| {
                        r.run_stored(&start.proof, run);
                    }),
                )
            }
            Stored::Finish(outcome) => {
                let id = outcome.proof.clone();
                let durable = self.durable.get_mut(&id).unwrap();
                assert!(durable.outcome.is_none(), "{id} ends twice");
                if let ProofResult::Failed { failure, .. } = &outcome.result {
                    assert!(failure.class != FailureClass::Bug, "{failure:?}");
                }
                durable.outcome = Some(*outcome);
                (id.clone(), Box::new(move |r| r.proof_stored(&id)))
            }
        };
        self.say(|| format!("stored of {id}"));
        // The answer may be lost, and come only to the next attempt.
        let after = match self.rng.chance(10) {
            true => self.rng.range(200, 5_000),
            false => 0,
        };
        self.at(after, Event::Answered(replica, life, epoch, event));
    }

    pub(super) fn answered(&mut self, replica: usize, life: u64, epoch: u64, event: Saying) {
        if self.replicas[replica].life == Some(life) && self.replicas[replica].core.epoch() == epoch
        {
            self.react(replica, event);
        }
    }

    pub(super) fn submit(&mut self, n: usize) {
        let id = ProofId::from(format!("p{n}"));
        let durable = Durable {
            spec: ProofSpec {
                inputs: vec![String::new(), String::new(), "2".to_owned()],
                created_at_ms: self.now,
                max_retries: Some(50),
                ..ProofSpec::new(id.clone(), Root::Prove)
            },
            begun: None,
            outcome: None,
            cancelled: false,
        };
        self.durable.insert(id.clone(), durable);
        self.pursue(&id);
    }
}

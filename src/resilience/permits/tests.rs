//! Never more than the caps, everybody's turn comes, and no permit is lost, however callers go away.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::super::tests::ready;
use super::*;

type Asking = Pin<Box<dyn Future<Output = Result<Permit>>>>;

fn limits(total: usize, per_key: usize) -> PermitLimits {
    PermitLimits {
        total,
        per_key,
        queue: 1_000,
        queue_per_key: 1_000,
    }
}

fn ask(permits: &Permits, key: &str) -> Asking {
    let (permits, key) = (permits.clone(), key.to_owned());
    let mut asking: Asking = Box::pin(async move { permits.acquire(&key).await });
    assert!(poll(&mut asking).is_none(), "there is a permit at once");
    asking
}

fn poll(asking: &mut Asking) -> Option<Result<Permit>> {
    match asking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn keys_take_turns_and_each_is_first_come_first_served() {
    let permits = Permits::new(limits(1, 1));
    let mut held = Some(ready(permits.acquire("z")).expect("free"));
    let order = ["a", "a", "a", "b", "c", "c"];
    let mut asking: Vec<_> = order.iter().map(|key| Some(ask(&permits, key))).collect();
    let mut served = Vec::new();
    for _ in 0..order.len() {
        drop(held.take());
        for (number, slot) in asking.iter_mut().enumerate() {
            if let Some(Some(answer)) = slot.as_mut().map(poll) {
                *slot = None;
                served.push((order[number], number));
                held = Some(answer.expect("a permit"));
                break;
            }
        }
    }
    assert_eq!(
        served,
        [("a", 0), ("b", 3), ("c", 4), ("a", 1), ("c", 5), ("a", 2)]
    );
}

#[test]
fn a_key_at_its_cap_does_not_hold_up_the_others() {
    let permits = Permits::new(limits(3, 1));
    let first = ready(permits.acquire("a")).expect("free");
    let mut second = ask(&permits, "a");
    let other = ready(permits.acquire("b")).expect("free");
    assert!(poll(&mut second).is_none());
    drop(other);
    assert!(poll(&mut second).is_none(), "a is at its cap");
    drop(first);
    assert!(poll(&mut second).is_some());
}

#[test]
fn a_full_queue_is_refused_with_the_numbers() {
    let permits = Permits::new(PermitLimits {
        total: 1,
        per_key: 1,
        queue: 3,
        queue_per_key: 2,
    });
    let _held = ready(permits.acquire("a")).expect("free");
    let _waiting = [ask(&permits, "a"), ask(&permits, "a")];
    let refused = ready(permits.acquire("a")).expect_err("the queue of a is full");
    assert_eq!(refused.code(), Code::E3408);
    assert_eq!(
        refused.to_string(),
        "queueing a call of a: it has 2 waiting (limit 2) and 1 running (limit 1); in all 2 wait (limit 3) and 1 run \
         (limit 1)"
    );
    let _third = ask(&permits, "b");
    let refused = ready(permits.acquire("c")).expect_err("the queue is full");
    assert_eq!(refused.details()["waiting"], 3);
    assert_eq!(refused.details()["key_waiting"], 0);
}

#[test]
fn a_permit_on_its_way_to_a_caller_who_leaves_goes_to_the_next() {
    let permits = Permits::new(limits(1, 1));
    let held = ready(permits.acquire("a")).expect("free");
    let leaves = ask(&permits, "a");
    let mut stays = ask(&permits, "a");
    drop(held);
    // The permit lies with the first one, who has not looked.
    assert!(poll(&mut stays).is_none());
    drop(leaves);
    assert!(poll(&mut stays).is_some());
    assert_eq!(permits.load(), Load::default());
}

#[test]
fn a_caller_who_leaves_while_the_permit_is_being_sent_keeps_none() {
    let permits = Permits::new(limits(1, 1));
    let held = ready(permits.acquire("a")).expect("free");
    for _ in 0..3 {
        // In the queue still, but gone: what another thread sees between taking it out and sending.
        let (sender, _) = oneshot::channel();
        lock(&permits.shared.queue).enter(&"a".into(), sender);
    }
    let mut stays = ask(&permits, "a");
    drop(held);
    assert!(poll(&mut stays).is_some());
    assert_eq!(permits.load(), Load::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_on_many_threads_who_give_up_at_random_leave_nothing_behind() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    let permits = Permits::new(limits(3, 2));
    let running = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200_u64)
        .map(|number| {
            let (permits, running) = (permits.clone(), Arc::clone(&running));
            tokio::spawn(async move {
                let patience = Duration::from_micros(number * 7_919 % 4_000);
                let key = format!("key-{}", number % 5);
                let asking = tokio::time::timeout(patience, permits.acquire(&key));
                if let Ok(permit) = asking.await {
                    let _permit = permit.expect("room in the queue");
                    let most = running.fetch_add(1, Ordering::SeqCst) + 1;
                    tokio::time::sleep(Duration::from_micros(number % 300)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    return most;
                }
                0
            })
        })
        .collect();
    for task in tasks {
        let most = task.await.expect("ends");
        assert!(most <= 3, "{most} at once");
    }
    assert_eq!(permits.load(), Load::default());
}

/// What callers do.
#[derive(Debug, Clone)]
enum Step {
    Ask(u8),
    /// The one who asked at this place, counted around, looks whether there is a permit.
    Look(usize),
    Leave(usize),
    End(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..4).prop_map(Step::Ask),
        2 => any::<usize>().prop_map(Step::Look),
        2 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::End),
    ];
    prop::collection::vec(step, 0..150)
}

fn take<T>(from: &mut Vec<T>, at: usize) -> Option<T> {
    (!from.is_empty()).then(|| {
        let at = at % from.len();
        from.swap_remove(at)
    })
}

fn key_of(key: u8) -> &'static str {
    ["a", "b", "c", "d"][usize::from(key)]
}

/// Everybody looks; those who have a permit hold it.
fn look_all(asking: &mut Vec<(u8, Asking)>, held: &mut Vec<(u8, Permit)>) {
    for (key, mut future) in std::mem::take(asking) {
        match poll(&mut future) {
            Some(permit) => held.push((key, permit.expect("a permit"))),
            None => asking.push((key, future)),
        }
    }
}

proptest! {
    #[test]
    fn caps_hold_nobody_starves_and_nothing_is_lost(
        steps in steps(), total in 1_usize..5, per_key in 1_usize..4, attentive: bool,
    ) {
        let permits = Permits::new(limits(total, per_key));
        let mut asking: Vec<(u8, Asking)> = Vec::new();
        let mut held: Vec<(u8, Permit)> = Vec::new();
        for step in steps {
            match step {
                Step::Ask(key) => {
                    let permits = permits.clone();
                    let mut future: Asking =
                        Box::pin(async move { permits.acquire(key_of(key)).await });
                    match poll(&mut future) {
                        Some(permit) => held.push((key, permit.expect("room in the queue"))),
                        None => asking.push((key, future)),
                    }
                }
                Step::Look(at) => {
                    if let Some((key, mut future)) = take(&mut asking, at) {
                        match poll(&mut future) {
                            Some(permit) => held.push((key, permit.expect("a permit"))),
                            None => asking.push((key, future)),
                        }
                    }
                }
                Step::Leave(at) => drop(take(&mut asking, at)),
                Step::End(at) => drop(take(&mut held, at)),
            }
            if attentive {
                look_all(&mut asking, &mut held);
            }
            let load = permits.load();
            prop_assert!(load.running <= total);
            prop_assert!(held.len() <= load.running);
            // Those who asked have a permit on its way, or wait.
            prop_assert_eq!(load.running + load.waiting, held.len() + asking.len());
            for key in 0..4 {
                let of_key = held.iter().filter(|(other, _)| *other == key).count();
                prop_assert!(of_key <= per_key);
                // Nobody waits who could run.
                let waits = asking.iter().any(|(other, _)| *other == key);
                prop_assert!(
                    !attentive || !waits || held.len() == total || of_key == per_key
                );
            }
        }
        // Those who stay are all served, as long as those who run end.
        let mut rounds = 0;
        while !asking.is_empty() {
            drop(held.pop());
            look_all(&mut asking, &mut held);
            rounds += 1;
            prop_assert!(rounds < 1_000, "{} wait for ever", asking.len());
        }
        drop(held);
        prop_assert_eq!(permits.load(), Load::default());
    }

    #[test]
    fn nobody_is_overtaken_by_more_than_one_of_each_other_key(
        crowd in prop::collection::vec(0_u8..4, 0..40), more in prop::collection::vec(0_u8..4, 100), mine in 0_u8..4,
    ) {
        let mut queue = FairQueue::new(limits(1, 1));
        let name = |key: u8| -> Arc<str> { key_of(key).into() };
        prop_assert_eq!(queue.enter(&name(0), None), Place::Runs);
        let mut running = name(0);
        for key in &crowd {
            queue.enter(&name(*key), None);
        }
        queue.enter(&name(mine), Some("me"));
        let ahead = crowd.iter().filter(|key| **key == mine).count();
        for (served, key) in more.into_iter().enumerate() {
            prop_assert!(served <= (ahead + 1) * 4, "{ahead} of the key were ahead");
            // Others keep coming.
            queue.enter(&name(key), None);
            queue.leave(&running);
            let (key, who) = queue.next().expect("somebody waits");
            if who.is_some() {
                return Ok(());
            }
            running = key;
        }
    }
}

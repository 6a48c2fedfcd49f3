//! One run for each request, whoever comes and goes.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::super::clock::ManualClock;
use super::super::tests::ready;
use super::*;

type Asking = Pin<Box<dyn Future<Output = Result<Begun<u32>>>>>;

struct Bench {
    clock: Arc<ManualClock>,
    requests: Idempotency<u32>,
}

fn bench(config: IdempotencyConfig) -> Bench {
    let clock = Arc::new(ManualClock::default());
    Bench {
        requests: Idempotency::new(config, Arc::<ManualClock>::clone(&clock)),
        clock,
    }
}

fn key(principal: &str, tool: &str, key: &str) -> RequestKey {
    RequestKey {
        principal: principal.to_owned(),
        tool: tool.to_owned(),
        key: key.to_owned(),
    }
}

fn poll(asking: &mut Asking) -> Option<Result<Begun<u32>>> {
    match asking
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

impl Bench {
    fn ask(&self, name: &str, arguments: &str) -> Asking {
        let (requests, key) = (self.requests.clone(), key("anna", "mail.send", name));
        let arguments = Digest::of(arguments.as_bytes());
        Box::pin(async move { requests.begin(key, arguments).await })
    }

    fn run(&self, name: &str, arguments: &str) -> Runner<u32> {
        match ready(self.ask(name, arguments)).expect("begins") {
            Begun::Run(runner) => runner,
            Begun::Known(result) => panic!("known already: {result}"),
        }
    }

    fn known(&self, name: &str, arguments: &str) -> u32 {
        match ready(self.ask(name, arguments)).expect("begins") {
            Begun::Known(result) => result,
            Begun::Run(_) => panic!("is not known"),
        }
    }
}

#[test]
fn the_others_join_the_first_and_get_its_result() {
    let bench = bench(IdempotencyConfig::default());
    let runner = bench.run("k", "1");
    let mut joined = [bench.ask("k", "1"), bench.ask("k", "1")];
    assert!(joined.iter_mut().all(|asking| poll(asking).is_none()));
    runner.finish(7, 1);
    for asking in &mut joined {
        let begun = poll(asking).expect("ends").expect("begins");
        assert!(matches!(begun, Begun::Known(7)), "{begun:?}");
    }
    assert_eq!(bench.known("k", "1"), 7);
}

#[test]
fn other_arguments_are_a_conflict_while_it_runs_and_afterwards() {
    let bench = bench(IdempotencyConfig::default());
    let runner = bench.run("k", "1");
    let refused = ready(bench.ask("k", "2")).expect_err("is a conflict");
    assert_eq!(refused.code(), Code::E3005);
    assert_eq!(
        refused.to_string(),
        "calling mail.send: the idempotency key \"k\" was used for other arguments before"
    );
    runner.finish(7, 1);
    assert!(ready(bench.ask("k", "2")).is_err());
    assert_eq!(bench.known("k", "1"), 7);
}

#[test]
fn principals_and_tools_do_not_meet() {
    let bench = bench(IdempotencyConfig::default());
    bench.run("k", "1").finish(7, 1);
    for other in [key("ben", "mail.send", "k"), key("anna", "mail.read", "k")] {
        let begun = ready(bench.requests.begin(other, Digest::of(b"1"))).expect("begins");
        assert!(matches!(begun, Begun::Run(_)), "{begun:?}");
    }
}

#[test]
fn the_longest_waiting_one_takes_over_from_a_runner_that_goes_away() {
    let bench = bench(IdempotencyConfig::default());
    let runner = bench.run("k", "1");
    let mut first = bench.ask("k", "1");
    let mut second = bench.ask("k", "1");
    assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
    drop(runner);
    assert!(poll(&mut second).is_none(), "it is not its turn");
    let Some(Ok(Begun::Run(heir))) = poll(&mut first) else {
        panic!("the first does not take over");
    };
    heir.finish(8, 1);
    assert!(matches!(poll(&mut second), Some(Ok(Begun::Known(8)))));
}

#[test]
fn work_on_its_way_to_one_who_leaves_goes_to_the_next() {
    let bench = bench(IdempotencyConfig::default());
    let runner = bench.run("k", "1");
    let mut leaves = bench.ask("k", "1");
    let mut stays = bench.ask("k", "1");
    assert!(poll(&mut leaves).is_none() && poll(&mut stays).is_none());
    drop(runner);
    drop(leaves);
    assert!(matches!(poll(&mut stays), Some(Ok(Begun::Run(_)))));
}

#[test]
fn one_who_leaves_while_the_work_is_being_sent_does_not_keep_it() {
    let bench = bench(IdempotencyConfig::default());
    let runner = bench.run("k", "1");
    for number in 100..103 {
        // Waiting still, but gone: what another thread sees between taking it out and sending.
        let (sender, _) = oneshot::channel();
        let mut known = lock(&bench.requests.shared.known);
        let request = known.requests.get_mut(&runner.key).expect("runs");
        let Progress::Running(waiters) = &mut request.progress else {
            panic!("is finished");
        };
        waiters.push_back((number, sender));
    }
    let mut stays = bench.ask("k", "1");
    assert!(poll(&mut stays).is_none());
    drop(runner);
    assert!(matches!(poll(&mut stays), Some(Ok(Begun::Run(_)))));
}

#[test]
fn a_request_that_nobody_finished_may_be_made_anew_with_other_arguments() {
    let bench = bench(IdempotencyConfig::default());
    drop(bench.run("k", "1"));
    assert_eq!(bench.requests.size(), (0, 0));
    bench.run("k", "2").finish(9, 1);
    assert_eq!(bench.known("k", "2"), 9);
}

#[test]
fn results_are_forgotten_after_their_time() {
    let bench = bench(IdempotencyConfig::default());
    bench.run("k", "1").finish(7, 1);
    bench.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(bench.known("k", "1"), 7);
    bench.clock.advance(Duration::from_secs(1));
    bench.run("k", "2").finish(8, 1);
    assert_eq!(bench.requests.size(), (1, 1));
}

#[test]
fn the_oldest_results_make_room_and_running_requests_never() {
    let bench = bench(IdempotencyConfig {
        max_entries: 3,
        ..IdempotencyConfig::default()
    });
    let running = bench.run("running", "1");
    bench.run("a", "1").finish(1, 1);
    bench.run("b", "1").finish(2, 1);
    bench.run("c", "1").finish(3, 1);
    assert_eq!((bench.known("b", "1"), bench.known("c", "1")), (2, 3));
    let _more = [bench.run("a", "1"), bench.run("d", "1")];
    let refused = ready(bench.ask("e", "1")).expect_err("all are running");
    assert_eq!(refused.code(), Code::E3408);
    running.finish(0, 1);
    let _room = bench.run("e", "1");
}

#[test]
fn bytes_are_capped_and_a_large_result_reaches_only_those_who_wait() {
    let bench = bench(IdempotencyConfig {
        max_bytes: 100,
        max_result: 60,
        ..IdempotencyConfig::default()
    });
    bench.run("a", "1").finish(1, 60);
    bench.run("b", "1").finish(2, 40);
    assert_eq!(bench.requests.size(), (2, 100));
    bench.run("c", "1").finish(3, 1);
    assert_eq!(bench.requests.size(), (2, 41));
    let runner = bench.run("large", "1");
    let mut joined = bench.ask("large", "1");
    assert!(poll(&mut joined).is_none());
    runner.finish(4, 61);
    assert!(matches!(poll(&mut joined), Some(Ok(Begun::Known(4)))));
    drop(bench.run("large", "1"));
}

/// What callers of three keys do; each key always comes with the same arguments.
#[derive(Debug, Clone)]
enum Step {
    Ask(usize),
    Look(usize),
    Leave(usize),
    Finish(usize),
    GoAway(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..3).prop_map(Step::Ask),
        2 => any::<usize>().prop_map(Step::Look),
        2 => any::<usize>().prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::Finish),
        2 => any::<usize>().prop_map(Step::GoAway),
    ];
    prop::collection::vec(step, 0..120)
}

fn take<T>(from: &mut Vec<T>, at: usize) -> Option<T> {
    (!from.is_empty()).then(|| {
        let at = at % from.len();
        from.swap_remove(at)
    })
}

/// The callers of three keys, and the result each key should have.
#[derive(Default)]
struct Callers {
    asking: Vec<(usize, Asking)>,
    runners: Vec<(usize, Runner<u32>)>,
    results: [Option<u32>; 3],
}

impl Callers {
    fn look(&mut self, key: usize, mut asking: Asking) {
        match poll(&mut asking) {
            None => {
                self.asking.push((key, asking));
            }
            Some(Ok(Begun::Run(runner))) => {
                assert_eq!(self.results[key], None, "it is run again");
                self.runners.push((key, runner));
            }
            Some(Ok(Begun::Known(result))) => assert_eq!(Some(result), self.results[key]),
            Some(Err(error)) => panic!("{error}"),
        }
        let running = self
            .runners
            .iter()
            .filter(|(other, _)| *other == key)
            .count();
        assert!(running <= 1, "{running} run it at once");
    }

    fn finish(&mut self, key: usize, runner: Runner<u32>, result: u32) {
        runner.finish(result, 1);
        self.results[key] = Some(result);
    }
}

proptest! {
    #[test]
    fn each_request_is_finished_once_and_everybody_gets_that_result(steps in steps()) {
        let bench = bench(IdempotencyConfig::default());
        let mut callers = Callers::default();
        let mut result = 0;
        for step in steps {
            match step {
                Step::Ask(key) => callers.look(key, bench.ask(&key.to_string(), "1")),
                Step::Look(at) => {
                    if let Some((key, asking)) = take(&mut callers.asking, at) {
                        callers.look(key, asking);
                    }
                }
                Step::Leave(at) => drop(take(&mut callers.asking, at)),
                Step::Finish(at) => {
                    if let Some((key, runner)) = take(&mut callers.runners, at) {
                        result += 1;
                        callers.finish(key, runner, result);
                    }
                }
                Step::GoAway(at) => drop(take(&mut callers.runners, at)),
            }
        }
        // Whoever stays gets to run it, or its result: nobody waits for a runner that is gone.
        let mut rounds = 0;
        while !callers.asking.is_empty() {
            while let Some((key, runner)) = callers.runners.pop() {
                result += 1;
                callers.finish(key, runner, result);
            }
            for (key, asking) in std::mem::take(&mut callers.asking) {
                callers.look(key, asking);
            }
            rounds += 1;
            prop_assert!(rounds < 10, "{} wait for ever", callers.asking.len());
        }
        drop(callers.runners);
        let known = callers.results.iter().flatten().count();
        prop_assert_eq!(bench.requests.size(), (known, known));
    }
}

//! Servers that are slow, silent or dead.

use super::*;

#[tokio::test]
async fn silence_ends_in_time_and_the_server_is_told() {
    let stage = Stage::with(
        |one| one.spec.timeout = Duration::from_millis(200),
        calls(|_| Some(Vec::new())),
    );
    let ended = stage.call("a", json!({})).await;
    assert!(
        matches!(ended, Ended::TimedOut(after) if after == Duration::from_millis(200)),
        "{ended:?}"
    );
    let call = stage.heard("tools/call").remove(0);
    let cancelled = wait_for(&stage, "notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], call["id"]);
}

async fn wait_for(stage: &Stage, wanted: &str) -> Value {
    for _ in 0..500 {
        if let Some(first) = stage.heard(wanted).into_iter().next() {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{wanted} never came");
}

#[tokio::test]
async fn signs_of_life_buy_time_but_not_for_ever() {
    // The server answers each call by progress alone, again and again, as long as it hears from us: here, by calls of `b`.
    let token: Arc<Mutex<Option<Value>>> = Arc::default();
    let stage = Arc::new(Stage::with(
        |one| one.spec.timeout = Duration::from_millis(400),
        calls(move |message| {
            let mut token = token.lock().expect("sound");
            let progress = |token: &Value| {
                line(
                    &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {
                        "progressToken": token, "progress": 1, "total": 2, "message": "still here",
                    }}),
                )
            };
            if message["params"]["name"] == "a" {
                *token = Some(message["params"]["_meta"]["progressToken"].clone());
                return Some(Vec::new());
            }
            let mut bytes = progress(token.as_ref().expect("a is called"));
            bytes.extend(answer(message, said("ok")));
            Some(bytes)
        }),
    ));
    let cancel = CancellationToken::new();
    let begun = Instant::now();
    let slow = stage.call_with("a", json!({}), cancel, Duration::from_millis(1500));
    let beats = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stage.call("b", json!({})).await;
        }
    };
    let ended = tokio::select! { ended = slow => ended, () = beats => unreachable!() };
    assert!(matches!(ended, Ended::TimedOut(_)), "{ended:?}");
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(1000) && took < Duration::from_secs(4),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_there_too() {
    let stage = Arc::new(Stage::new(calls(|_| Some(Vec::new()))));
    let cancel = CancellationToken::new();
    let call = {
        let (stage, cancel) = (Arc::clone(&stage), cancel.clone());
        tokio::spawn(async move {
            stage
                .call_with("a", json!({}), cancel, Duration::from_secs(30))
                .await
        })
    };
    wait_for(&stage, "tools/call").await;
    cancel.cancel();
    assert!(matches!(call.await.expect("ended"), Ended::Cancelled));
    wait_for(&stage, "notifications/cancelled").await;
}

#[tokio::test]
async fn death_in_a_call_is_told_and_the_call_is_not_made_again() {
    let stage = Stage::new(calls(|message| match message["params"]["name"].as_str() {
        Some("a") => None,
        _ => Some(answer(message, said("ok"))),
    }));
    let error = error(stage.call("a", json!({})).await);
    assert_eq!(error.code(), Code::E3502);
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert!(error.causes().join(" ").contains("last words"), "{error:?}");
    assert_eq!(stage.heard("tools/call").len(), 1);
    // The next one starts it again.
    assert_eq!(text(&stage.call("b", json!({})).await), "ok");
    assert_eq!(*stage.started.lock().expect("sound"), 2);
}

#[tokio::test]
async fn death_at_the_start_is_told_with_the_last_words_and_not_tried_again_at_once() {
    let stage = Stage::new(|_| None);
    let first = error(stage.call("a", json!({})).await);
    assert_eq!(first.code(), Code::E3502);
    assert!(
        first.to_string().contains("before it had answered"),
        "{first}"
    );
    assert!(first.causes().join(" ").contains("last words"), "{first:?}");
    let second = error(stage.call("a", json!({})).await);
    assert_eq!(second.code(), Code::E3502);
    assert_eq!(*stage.started.lock().expect("sound"), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_costs_its_time_to_start_and_no_more() {
    let stage = Stage::with(
        |one| one.spec.start_timeout = Duration::from_millis(500),
        |_| Some(Vec::new()),
    );
    let begun = Instant::now();
    let error = error(stage.call("a", json!({})).await);
    assert_eq!(error.code(), Code::E3503);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn no_more_calls_are_made_at_once_than_the_server_is_given() {
    let running: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&running);
    let stage = Arc::new(Stage::with(
        |one| {
            one.spec.concurrency = 2;
            one.spec.timeout = Duration::from_millis(300);
        },
        calls(move |message| {
            seen.lock().expect("sound").push(message["id"].clone());
            Some(Vec::new())
        }),
    ));
    stage.bridge.look(&peer()).await.expect("connected");
    let calls = (0..4).map(|_| {
        let stage = Arc::clone(&stage);
        async move { stage.call("a", json!({})).await }
    });
    let all = futures_util::future::join_all(calls);
    tokio::pin!(all);
    tokio::select! {
        _ = &mut all => panic!("too fast"),
        () = tokio::time::sleep(Duration::from_millis(150)) => {}
    }
    assert_eq!(running.lock().expect("sound").len(), 2);
    all.await;
    assert_eq!(running.lock().expect("sound").len(), 4);
}

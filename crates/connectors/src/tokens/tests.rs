//! One token for all who wait, and how it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::*;
use crate::fixtures::{connector, credentials, provider};
use crate::outbound::Route;

const KEY: TokenKey = TokenKey([1; 32]);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// Counts the fetches and lets each answer `t1`, `t2`, … with this lifetime.
#[derive(Clone, Default)]
struct Source {
    calls: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

impl Source {
    async fn answer(self, lifetime: Option<Duration>) -> Result<Fetched, TokenFailure> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Fetched { token: Secret::from(format!("t{call}")), lifetime })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn text(tokens: &Tokens, source: &Source, lifetime: Option<u64>) -> String {
    let source = source.clone();
    let got = tokens.get(KEY, soon(), || source.answer(lifetime.map(Duration::from_secs))).await.unwrap();
    got.token.expose_str().unwrap().to_owned()
}

fn refused() -> TokenFailure {
    TokenFailure { code: SessionCode::InvalidServiceCredentials, status_code: Some(401), delivered: Delivered::Yes }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let check = async |lifetime: Option<u64>, kept_seconds: u64| {
        let (tokens, source) = (Tokens::default(), Source::default());
        assert_eq!(text(&tokens, &source, lifetime).await, "t1");
        tokio::time::advance(Duration::from_secs(kept_seconds) - Duration::from_millis(1)).await;
        assert_eq!(text(&tokens, &source, lifetime).await, "t1", "{lifetime:?}");
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(text(&tokens, &source, lifetime).await, "t2", "{lifetime:?}");
    };
    check(Some(32_000), 31_940).await;
    check(Some(300), 270).await;
    check(Some(1_000_000_000), 24 * 60 * 60 - 60).await;
    check(None, 270).await;
    let (tokens, source) = (Tokens::default(), Source::default());
    assert_eq!(text(&tokens, &source, Some(0)).await, "t1");
    assert_eq!(text(&tokens, &source, Some(0)).await, "t2");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sessions_make_one_call() {
    let (tokens, source) = (Tokens::default(), Source::default());
    let mut sessions = JoinSet::new();
    for _ in 0..100 {
        let (tokens, source) = (tokens.clone(), source.clone());
        sessions.spawn(async move {
            let fetch = || async move {
                source.gate.notified().await;
                source.answer(Some(Duration::from_secs(3600))).await
            };
            tokens.get(KEY, soon(), fetch).await.unwrap().token.expose_str().unwrap().to_owned()
        });
    }
    source.gate.notify_one();
    assert_eq!(sessions.join_all().await, vec!["t1"; 100]);
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_goes_away_takes_nothing_from_the_others() {
    let (tokens, source) = (Tokens::default(), Source::default());
    let fetch = |source: Source| async move {
        source.gate.notified().await;
        source.answer(None).await
    };
    let mut sessions = JoinSet::new();
    let (first_tokens, first_source) = (tokens.clone(), source.clone());
    let first = sessions.spawn(async move { first_tokens.get(KEY, soon(), || fetch(first_source)).await.is_ok() });
    tokio::task::yield_now().await;
    first.abort();
    assert!(sessions.join_next().await.unwrap().unwrap_err().is_cancelled());
    source.gate.notify_one();
    let got = tokens.get(KEY, soon(), || fetch(source.clone())).await.unwrap();
    assert_eq!((got.token.expose_str(), source.calls()), (Some("t1"), 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_no_longer_than_its_own_deadline() {
    let (tokens, source) = (Tokens::default(), Source::default());
    let gate = source.gate.clone();
    let fetch = |source: Source| async move {
        source.gate.notified().await;
        source.answer(None).await
    };
    let failure = tokens.get(KEY, Instant::now() + Duration::from_millis(10), || fetch(source.clone())).await.unwrap_err();
    assert_eq!(failure, TokenFailure { code: SessionCode::ServiceNetworkError, status_code: None, delivered: Delivered::Unknown });
    gate.notify_one();
    assert_eq!(text(&tokens, &source, None).await, "t1");
}

#[tokio::test(start_paused = true)]
async fn failures_are_shared_and_forgotten() {
    let tokens = Tokens::default();
    let gate = Arc::new(Notify::new());
    let mut sessions = JoinSet::new();
    for _ in 0..10 {
        let (tokens, gate) = (tokens.clone(), gate.clone());
        sessions.spawn(async move {
            let fetch = || async move {
                gate.notified().await;
                Err(refused())
            };
            tokens.get(KEY, soon(), fetch).await.unwrap_err()
        });
    }
    gate.notify_one();
    assert_eq!(sessions.join_all().await, vec![refused(); 10]);
    assert_eq!(text(&tokens, &Source::default(), None).await, "t1");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_fetch_is_an_answer_and_leaves_no_slot_behind() {
    let tokens = Tokens::default();
    let failure = tokens.get(KEY, soon(), || async { panic!("a fetch broke") }).await.unwrap_err();
    assert_eq!((failure.code, failure.status_code), (SessionCode::UnknownError, None));
    assert_eq!(text(&tokens, &Source::default(), None).await, "t1");
}

#[tokio::test(start_paused = true)]
async fn only_the_refused_token_is_forgotten() {
    let (tokens, source) = (Tokens::default(), Source::default());
    let old = tokens.get(KEY, soon(), || source.clone().answer(None)).await.unwrap();
    assert!(old.was_fetched && !tokens.get(KEY, soon(), || source.clone().answer(None)).await.unwrap().was_fetched);
    tokens.forget(KEY, &old.token);
    assert_eq!(text(&tokens, &source, None).await, "t2");
    // Another session still holds the old one and is refused later.
    tokens.forget(KEY, &old.token);
    assert_eq!(text(&tokens, &source, None).await, "t2");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_tokens_is_limited() {
    let (tokens, source) = (Tokens::default(), Source::default());
    for number in 0..TOKENS_MAX + 10 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        tokens.get(TokenKey(key), soon(), || source.clone().answer(None)).await.unwrap();
    }
    assert_eq!(tokens.slots.lock().unwrap().len(), TOKENS_MAX);
}

#[test]
fn whatever_a_token_call_depends_on_is_in_its_key() {
    let provider = provider(&["id", "secret"]);
    let connector = connector(provider.clone());
    let base = Base { url: "https://a.test".into(), route: Route::Guarded };
    let key = |service: u128, values: &[(&str, &str)]| {
        TokenKey::of(Some(Uuid::from_u128(service)), &connector, &credentials(&provider, values), &base)
    };
    let first = key(1, &[("id", "a"), ("secret", "b")]);
    assert_eq!(first, key(1, &[("secret", "b"), ("id", "a")]));
    assert_ne!(first, key(2, &[("id", "a"), ("secret", "b")]));
    assert_ne!(first, key(1, &[("id", "ab")]));
    assert_ne!(first, key(1, &[("id", "b"), ("secret", "a")]));
    let elsewhere = Base { url: "https://b.test".into(), route: Route::Guarded };
    let moved = TokenKey::of(Some(Uuid::from_u128(1)), &connector, &credentials(&provider, &[("id", "a"), ("secret", "b")]), &elsewhere);
    assert_ne!(first, moved);
}

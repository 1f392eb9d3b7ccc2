//! What is sent twice: what was not looked at, and what the definition says may be.

use testkit::provider::{Authority, Greeting, Options, Provider, Reply, Then, Validity};
use tokio::runtime::Builder;

use super::*;

#[tokio::test]
async fn a_refused_stream_is_sent_again() {
    let authority = Authority::new();
    let provider = Provider::start(Options::http2(authority.issue(&[NAME], Validity::Current))).await;
    let outbound = trusting(&authority);
    provider.reply(Reply::RefuseStream);
    answered(send(&outbound, &provider.url_at(NAME, "/")).await);
    assert_eq!(provider.requests().len(), 1);
    // On a kept connection as well.
    provider.reply(Reply::RefuseStream);
    answered(send(&outbound, &provider.url_at(NAME, "/")).await);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn streams_that_are_refused_for_ever_are_given_up() {
    let authority = Authority::new();
    let provider = Provider::start(Options::http2(authority.issue(&[NAME], Validity::Current))).await;
    for _ in 0..3 {
        provider.reply(Reply::RefuseStream);
    }
    failed(&send(&trusting(&authority), &provider.url_at(NAME, "/")).await, Delivered::No, CallFailure::Reset);
    assert_eq!((provider.requests().len(), provider.connections()), (0, 3));
}

/// Frames: SETTINGS; then GOAWAY with stream 0 as the last that was looked at, or with stream 1.
#[tokio::test]
async fn a_server_that_leaves_says_what_it_has_seen() {
    for (last_stream, delivered) in [(0, Delivered::No), (1, Delivered::Unknown)] {
        let authority = Authority::new();
        let provider = Provider::start(Options::http2(authority.issue(&[NAME], Validity::Current))).await;
        let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
        frames.extend_from_slice(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_stream, 0, 0, 0, 0]);
        provider.greet(Greeting::BytesInTls(frames, Then::Close));
        let exchange = send(&trusting(&authority), &provider.url_at(NAME, "/")).await;
        assert_eq!(exchange.delivered, delivered, "{exchange:?}");
        assert_eq!(provider.connections(), if delivered == Delivered::No { 3 } else { 1 });
    }
}

#[tokio::test]
async fn what_a_definition_declares_may_be_sent_once_more() {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(Reply::CloseUnanswered);
    answered(send_declared(&outbound(), &provider.url("/"), AMPLE).await);
    let requests = provider.requests();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((&first.headers, &first.body), (&second.headers, &second.body));
}

#[tokio::test]
async fn once_more_is_not_twice_more() {
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::ResetUnanswered);
    failed(&send_declared(&outbound(), &provider.url("/"), AMPLE).await, Delivered::Unknown, CallFailure::Reset);
    assert_eq!(provider.requests().len(), 2);
}

/// What may have arrived can not be made undone by what fails later.
#[test]
fn a_second_try_that_does_not_connect_leaves_the_first_in_doubt() {
    let theirs = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ours = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = theirs.block_on(Provider::start(Options::plain()));
    provider.answer(|_| Reply::Never);
    let slow = OutboundOptions { backoff: Backoff::Fixed(Duration::from_millis(500)), ..options() };
    let outbound = Outbound::new(slow).unwrap();
    let url = provider.url("/");
    let call = ours.spawn(async move { send_declared(&outbound, &url, AMPLE).await });
    theirs.block_on(provider.wait_for_requests(1));
    // With the provider its port is gone.
    theirs.block_on(async { drop(provider) });
    failed(&ours.block_on(call).unwrap(), Delivered::Unknown, CallFailure::Connect);
}

#[tokio::test]
async fn a_timeout_is_not_sent_again() {
    let provider = Provider::start(Options::plain()).await;
    provider.answer(|_| Reply::Never);
    failed(&send_declared(&outbound(), &provider.url("/"), SCANT).await, Delivered::Unknown, CallFailure::Timeout);
    assert_eq!(provider.requests().len(), 1);
}

/// Row R12.
#[tokio::test]
async fn r12_retry_after_is_honoured_where_that_is_declared() {
    let provider = Provider::start(Options::plain()).await;
    let busy = || Reply::json(503, "{\"busy\":true}").with_header("retry-after", "1");
    let outbound = outbound();

    provider.reply(busy());
    assert_eq!(answered(send(&outbound, &provider.url("/")).await).status, 503);
    assert_eq!(provider.requests().len(), 1);

    provider.reply(busy());
    let exchange = send_declared(&outbound, &provider.url("/"), AMPLE).await;
    assert!(exchange.elapsed >= Duration::from_secs(1), "{exchange:?}");
    assert_eq!(answered(exchange).status, 200);
    let requests = provider.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(1), "the service was left alone for as long as it asked");
    assert_eq!((&requests[1].headers, &requests[1].body), (&requests[2].headers, &requests[2].body), "with the same key");

    // Not beyond the deadline, not twice, and not without being told when.
    provider.reply(busy());
    assert_eq!(answered(send_declared(&outbound, &provider.url("/"), Duration::from_millis(900)).await).status, 503);
    assert_eq!(provider.requests().len(), 4);
    provider.reply(Reply::json(503, "{}").with_header("retry-after", "0"));
    provider.reply(Reply::json(503, "{}").with_header("retry-after", "0"));
    assert_eq!(answered(send_declared(&outbound, &provider.url("/"), AMPLE).await).status, 503);
    assert_eq!(provider.requests().len(), 6);
    provider.reply(Reply::json(503, "{}"));
    assert_eq!(answered(send_declared(&outbound, &provider.url("/"), AMPLE).await).status, 503);
    assert_eq!(provider.requests().len(), 7);
}

/// Nothing of the second try was sent, so the first answer is all that there is.
#[tokio::test]
async fn r12_a_service_that_is_gone_when_it_asked_to_come_back_has_answered() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&[NAME], Validity::Current))).await;
    provider.reply(Reply::json(503, "{\"busy\":true}").with_header("retry-after", "1").with_header("connection", "close"));
    let (outbound, url) = (trusting(&authority), provider.url_at(NAME, "/"));
    let told = async {
        provider.wait_for_requests(1).await;
        provider.greet(Greeting::Close);
    };
    let (exchange, ()) = tokio::join!(send_declared(&outbound, &url, AMPLE), told);
    assert_eq!(exchange.delivered, Delivered::Yes);
    assert_eq!(answered(exchange).status, 503);
    assert_eq!(provider.requests().len(), 1);
}

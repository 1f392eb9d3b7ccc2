//! Connections are kept, and given up in time.

use testkit::provider::{Authority, Options, Provider, Reply, Then, Validity};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use super::*;

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = outbound();
    for _ in 0..20 {
        answered(send(&outbound, &provider.url("/")).await);
    }
    assert_eq!((provider.requests().len(), provider.connections()), (20, 1));
}

#[tokio::test]
async fn a_tls_connection_serves_one_call_after_the_other() {
    let authority = Authority::new();
    let provider = Provider::start(Options::tls(authority.issue(&[NAME], Validity::Current))).await;
    let outbound = trusting(&authority);
    for _ in 0..20 {
        answered(send(&outbound, &provider.url_at(NAME, "/")).await);
    }
    assert_eq!((provider.requests().len(), provider.connections()), (20, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_serves_many_calls_at_once() {
    let authority = Authority::new();
    let provider = Provider::start(Options::http2(authority.issue(&[NAME], Validity::Current))).await;
    let outbound = trusting(&authority);
    answered(send(&outbound, &provider.url_at(NAME, "/")).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (outbound, url) = (outbound.clone(), provider.url_at(NAME, "/"));
        calls.spawn(async move { send(&outbound, &url).await });
    }
    for exchange in calls.join_all().await {
        answered(exchange);
    }
    assert_eq!((provider.requests().len(), provider.connections()), (51, 1));
}

#[tokio::test]
async fn an_answer_that_says_close_is_believed() {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(Reply::json(200, "{}").with_header("connection", "close"));
    let outbound = outbound();
    answered(send(&outbound, &provider.url("/")).await);
    provider.wait_for_open(0).await;
    answered(send(&outbound, &provider.url("/")).await);
    assert_eq!(provider.connections(), 2);
}

#[tokio::test]
async fn bytes_after_an_answer_are_not_the_next_answer() {
    let provider = Provider::start(Options::plain()).await;
    let two = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"x\":\"y\"".to_vec();
    provider.reply(Reply::Raw(two, Then::Serve));
    let outbound = outbound();
    answered(send(&outbound, &provider.url("/")).await);
    assert_eq!(answered(send(&outbound, &provider.url("/")).await).body.unwrap(), "{}");
    assert_eq!((provider.requests().len(), provider.connections()), (2, 2));
}

#[tokio::test]
async fn a_connection_with_an_answer_left_unread_is_not_kept() {
    let provider = Provider::start(Options::plain()).await;
    provider.reply(Reply::Huge(64 * 1024 * 1024));
    let outbound = outbound();
    assert!(send(&outbound, &provider.url("/")).await.result.unwrap().body.is_err());
    provider.wait_for_open(0).await;
    answered(send(&outbound, &provider.url("/")).await);
    assert_eq!(provider.connections(), 2);
}

#[tokio::test]
async fn the_last_clone_closes_everything() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = outbound();
    answered(send(&outbound.clone(), &provider.url("/")).await);
    provider.wait_for_open(1).await;
    drop(outbound);
    provider.wait_for_open(0).await;
}

/// The client's runtime stands still while the provider hangs up. When it goes on, the call is polled before the task that would notice: the request is put on a dead connection, comes back unwritten, and is sent once on a new one.
fn check_closed_meanwhile(options: Options, outbound: &Outbound, host: &str) {
    let theirs = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ours = Builder::new_current_thread().enable_all().build().unwrap();
    let provider = theirs.block_on(Provider::start(options));
    let url = provider.url_at(host, "/");
    answered(ours.block_on(send(outbound, &url)));
    provider.hang_up();
    theirs.block_on(provider.wait_for_open(0));
    answered(ours.block_on(async {
        yield_now().await;
        send(outbound, &url).await
    }));
    assert_eq!((provider.requests().len(), provider.connections()), (2, 2));
}

#[test]
fn a_kept_connection_that_was_closed_meanwhile_costs_nothing() {
    check_closed_meanwhile(Options::plain(), &outbound(), "127.0.0.1");
}

#[test]
fn a_kept_tls_connection_that_was_closed_meanwhile_costs_nothing() {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], Validity::Current);
    check_closed_meanwhile(Options::tls(identity), &trusting(&authority), NAME);
}

#[test]
fn a_kept_http2_connection_that_was_closed_meanwhile_costs_nothing() {
    let authority = Authority::new();
    let identity = authority.issue(&[NAME], Validity::Current);
    check_closed_meanwhile(Options::http2(identity), &trusting(&authority), NAME);
}

/// The same connection, but this time the request is written before it ends: nobody can know, so nobody sends it again.
#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_not_made_good() {
    let provider = Provider::start(Options::plain()).await;
    let outbound = outbound();
    answered(send(&outbound, &provider.url("/")).await);
    for (journal, reply) in [(2, Reply::CloseUnanswered), (3, Reply::ResetUnread)] {
        provider.reply(reply);
        failed(&send(&outbound, &provider.url("/")).await, Delivered::Unknown, CallFailure::Reset);
        assert_eq!(provider.connections(), 1.max(journal - 1));
        answered(send(&outbound, &provider.url("/")).await);
    }
}

#[tokio::test]
async fn closing_leaves_no_connection_and_no_task_behind() {
    let authority = Authority::new();
    for options in [Options::tls(authority.issue(&[NAME], Validity::Current)), Options::http2(authority.issue(&[NAME], Validity::Current))]
    {
        let provider = Provider::start(options).await;
        let outbound = trusting(&authority);
        answered(send(&outbound, &provider.url_at(NAME, "/")).await);
        assert!(outbound.close(AMPLE).await, "every task has ended");
        provider.wait_for_open(0).await;
    }
}

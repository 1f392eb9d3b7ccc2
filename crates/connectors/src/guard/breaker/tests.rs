//! A breaker on a clock that stands still until it is moved.

use super::*;

struct Stage {
    breaker: Breaker,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let now = Instant::now();
        Self { breaker: Breaker::new(now), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// One session with one call; whether it was let in.
    fn call(&mut self, health: Health) -> bool {
        let Some(pass) = self.breaker.admit(self.now) else { return false };
        self.breaker.hear(self.now, pass, health);
        self.breaker.leave(self.now, pass);
        true
    }

    fn calls(&mut self, count: u32, health: Health) -> u32 {
        (0..count).map(|_| u32::from(self.call(health))).sum()
    }

    fn opened() -> Self {
        let mut stage = Self::new();
        stage.calls(CALLS_MIN, Health::Fails);
        assert_eq!(stage.breaker.state(), State::Open);
        stage
    }
}

#[test]
fn it_opens_when_half_of_enough_calls_fail() {
    let mut stage = Stage::new();
    assert_eq!(stage.calls(CALLS_MIN - 1, Health::Fails), CALLS_MIN - 1);
    assert_eq!(stage.breaker.state(), State::Closed, "too few calls to say anything");
    stage.call(Health::Fails);
    assert_eq!(stage.breaker.state(), State::Open);
    assert!(!stage.call(Health::Answers));

    let mut stage = Stage::new();
    stage.calls(51, Health::Answers);
    stage.calls(50, Health::Fails);
    assert_eq!(stage.breaker.state(), State::Closed, "50 of 101");
    stage.call(Health::Fails);
    assert_eq!(stage.breaker.state(), State::Open, "51 of 102");
}

#[test]
fn it_looks_at_the_last_seconds_only() {
    let mut stage = Stage::new();
    stage.calls(1_000, Health::Answers);
    stage.pass(Duration::from_secs(10));
    stage.calls(CALLS_MIN, Health::Fails);
    assert_eq!(stage.breaker.state(), State::Open, "what was well ten seconds ago is no excuse");

    let mut stage = Stage::new();
    for _ in 0..100 {
        stage.call(Health::Fails);
        stage.pass(Duration::from_secs(1));
    }
    assert_eq!(stage.breaker.state(), State::Closed, "never enough calls at one time");
}

#[test]
fn it_lets_one_probe_in_and_closes_when_that_is_answered() {
    let mut stage = Stage::opened();
    stage.pass(OPEN_FOR - Duration::from_millis(1));
    assert!(stage.breaker.admit(stage.now).is_none());
    stage.pass(Duration::from_millis(1));
    let probe = stage.breaker.admit(stage.now).unwrap();
    assert_eq!(stage.breaker.state(), State::HalfOpen);
    assert!(stage.breaker.admit(stage.now).is_none(), "one at a time");
    stage.breaker.hear(stage.now, probe, Health::Answers);
    assert!(stage.breaker.admit(stage.now).is_none(), "it may have a second call to make");
    stage.breaker.leave(stage.now, probe);
    assert_eq!(stage.breaker.state(), State::Closed);
    assert_eq!(stage.calls(CALLS_MIN - 1, Health::Fails), CALLS_MIN - 1, "what failed before is forgotten");
    assert_eq!(stage.breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_fails_opens_it_again() {
    let mut stage = Stage::opened();
    for first in [None, Some(Health::Answers)] {
        stage.pass(OPEN_FOR);
        let probe = stage.breaker.admit(stage.now).unwrap();
        if let Some(first) = first {
            stage.breaker.hear(stage.now, probe, first);
        }
        stage.breaker.hear(stage.now, probe, Health::Fails);
        stage.breaker.leave(stage.now, probe);
        assert_eq!(stage.breaker.state(), State::Open);
        assert!(stage.breaker.admit(stage.now).is_none());
    }
}

#[test]
fn a_probe_that_asked_nothing_leaves_its_place() {
    let mut stage = Stage::opened();
    stage.pass(OPEN_FOR);
    let probe = stage.breaker.admit(stage.now).unwrap();
    stage.breaker.leave(stage.now, probe);
    assert_eq!(stage.breaker.state(), State::HalfOpen);
    assert!(stage.call(Health::Answers));
    assert_eq!(stage.breaker.state(), State::Closed);
}

#[test]
fn a_call_from_before_says_nothing_about_what_came_after() {
    let mut stage = Stage::new();
    let early = stage.breaker.admit(stage.now).unwrap();
    stage.calls(CALLS_MIN, Health::Fails);
    stage.pass(OPEN_FOR);
    let probe = stage.breaker.admit(stage.now).unwrap();
    for health in [Health::Answers, Health::Fails] {
        stage.breaker.hear(stage.now, early, health);
        stage.breaker.leave(stage.now, early);
        assert_eq!(stage.breaker.state(), State::HalfOpen);
    }
    stage.breaker.leave(stage.now, probe);
    assert_eq!(stage.breaker.state(), State::HalfOpen, "only the early call was heard");
}

/// Row R15 on the clock: 200 calls a second that take their whole time limit to fail, and the same when the service is well again.
#[test]
fn r15_it_opens_and_closes_within_ten_seconds() {
    const EVERY: Duration = Duration::from_millis(5);
    const LIMIT: Duration = Duration::from_millis(4_500);
    let mut stage = Stage::new();
    let began = stage.now;
    // Let in, when it will end, and how.
    let mut on_the_way: std::collections::VecDeque<(Pass, Instant, Health)> = std::collections::VecDeque::new();
    let mut run = |stage: &mut Stage, health: Health, until: State| {
        let began = stage.now;
        while stage.breaker.state() != until {
            assert!(stage.now - began < Duration::from_secs(10), "{until:?} is not reached");
            while let Some((pass, _, health)) = on_the_way.pop_front_if(|(_, end, _)| *end <= stage.now) {
                stage.breaker.hear(stage.now, pass, health);
                stage.breaker.leave(stage.now, pass);
            }
            if let Some(pass) = stage.breaker.admit(stage.now) {
                let end = if health == Health::Fails { stage.now + LIMIT } else { stage.now };
                on_the_way.push_back((pass, end, health));
            }
            stage.pass(EVERY);
        }
    };
    run(&mut stage, Health::Fails, State::Open);
    assert!(stage.now - began < Duration::from_secs(5));
    // The worst moment to get well: a probe has just set out to the service that hangs.
    run(&mut stage, Health::Fails, State::HalfOpen);
    run(&mut stage, Health::Answers, State::Closed);
}

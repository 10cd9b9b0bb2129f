//! Which failures are repeated, when, and until when.

use std::{error::Error as _, future::Future, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

use crate::errors::{Error, connection_broke, service_info};

/// A timeout that no clock and no header overflows with.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// How much earlier than here a deadline may be found to have passed elsewhere.
const CLOCK_SKEW: Duration = Duration::from_millis(50);

/// The attempts of one call, or of one listing, and the deadline that they share.
pub(crate) struct Attempts {
    timeout: Duration,
    deadline: Option<Instant>,
    failures: i32,
    /// What a deadline tells of the last failure.
    before: String,
}

impl Attempts {
    /// All attempts together take the timeout at most.
    pub(crate) fn of_call(timeout: Duration) -> Self {
        let attempts = Self::of_listing(timeout);
        Self { deadline: Some(Instant::now() + attempts.timeout), ..attempts }
    }

    /// The timeout begins with the first failure, and again with the first after [`Attempts::progress`].
    pub(crate) fn of_listing(timeout: Duration) -> Self {
        Self { timeout: timeout.min(FOREVER), deadline: None, failures: 0, before: String::new() }
    }

    /// Forgets the failures of a listing, because a message has come.
    pub(crate) fn progress(&mut self) {
        *self = Self::of_listing(self.timeout);
    }

    /// What is left of the timeout.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.map_or(self.timeout, |deadline| deadline - Instant::now())
    }

    /// Runs one attempt, until the deadline at most.
    pub(crate) async fn run<T>(&self, attempt: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let Some(deadline) = self.deadline else { return attempt.await };
        let expired = || Status::deadline_exceeded(format!("no answer within {:?}{}", self.timeout, self.before));
        match timeout_at(deadline, attempt).await {
            Ok(Err(status)) if caused_by::<TimeoutExpired>(&status) => Err(expired()),
            Ok(Err(status)) if deadline < Instant::now() + CLOCK_SKEW && passed_elsewhere(&status) => Err(expired()),
            Ok(outcome) => outcome,
            Err(_) => Err(expired()),
        }
    }

    /// Waits until the next attempt; gives the failure back where there is to be none.
    pub(crate) async fn wait_after(&mut self, status: Status) -> Result<(), Status> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + self.timeout);
        let Some(asked) = repeatable(&status) else { return Err(status) };
        let wait = backoff(self.failures).mul_f64(0.8 + 0.4 * fastrand::f64()).max(asked);
        let Some(next) = now.checked_add(wait).filter(|next| *next <= deadline) else { return Err(status) };
        self.failures += 1;
        self.before = format!("; the attempt before failed: {}", Error::from(status));
        sleep_until(next).await;
        Ok(())
    }
}

/// The wait after so many failures before this one, without its random part: 0.1 s, doubled each time, at
/// most 5 s.
pub(crate) fn backoff(failures: i32) -> Duration {
    Duration::from_secs_f64((0.1 * 2f64.powi(failures)).min(5.0))
}

/// The least wait before another attempt, or `None` where another cannot succeed.
pub(crate) fn repeatable(status: &Status) -> Option<Duration> {
    let asked = status.get_details_retry_info().map(|info| info.retry_delay.unwrap_or_default());
    let again = matches!(status.code(), Code::Unavailable | Code::Aborted) || connection_broke(status);
    asked.or(again.then_some(Duration::ZERO))
}

/// Whether the deadline passed on the way to the service.
fn passed_elsewhere(status: &Status) -> bool {
    status.code() == Code::DeadlineExceeded && service_info(status).is_none()
}

fn caused_by<E: std::error::Error + 'static>(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use prost::Message;
    use tonic_types::pb;

    use super::*;

    #[test]
    fn the_wait_doubles_up_to_5_s() {
        let waits: Vec<f64> = (0..8).map(|failures| backoff(failures).as_secs_f64()).collect();
        assert_eq!(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]);
        assert_eq!(backoff(i32::MAX).as_secs_f64(), 5.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_of_a_call_are_random_and_end_before_its_deadline() {
        let start = Instant::now();
        let mut attempts = Attempts::of_call(Duration::from_secs(1));
        for (least, most) in [(0.08, 0.12), (0.24, 0.36), (0.56, 0.84)] {
            attempts.wait_after(Status::unavailable("")).await.unwrap();
            let waited = start.elapsed().as_secs_f64();
            assert!((least..most + 0.003).contains(&waited), "{waited}");
        }
        let before = Instant::now();
        assert!(attempts.wait_after(Status::unavailable("")).await.is_err());
        assert_eq!(before, Instant::now());
    }

    #[tokio::test]
    async fn a_delay_that_no_clock_can_hold_is_too_long() {
        let retry_delay = Some(prost_types::Duration { seconds: i64::MAX, nanos: 0 });
        let value = pb::RetryInfo { retry_delay }.encode_to_vec();
        let detail = prost_types::Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value };
        let details = pb::Status { details: vec![detail], ..Default::default() }.encode_to_vec();
        let status = Status::with_details(Code::ResourceExhausted, "", details.into());
        assert!(Attempts::of_call(Duration::MAX).wait_after(status).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_gets_what_is_left_of_the_timeout() {
        let mut attempts = Attempts::of_call(Duration::from_secs(1));
        attempts.wait_after(Status::unavailable("gone")).await.unwrap();
        assert!(attempts.remaining() <= Duration::from_millis(920));
        let status = attempts.run(pending::<Result<(), _>>()).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.message(), "no answer within 1s; the attempt before failed: Unavailable: gone");
        assert_eq!(attempts.remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_told_alike_whoever_notices_it() {
        for (timeout, message) in [(40, "no answer within 40ms"), (400, "a proxy's deadline")] {
            let attempts = Attempts::of_call(Duration::from_millis(timeout));
            let elsewhere = ready(Err::<(), _>(Status::deadline_exceeded("a proxy's deadline")));
            assert_eq!(attempts.run(elsewhere).await.unwrap_err().message(), message);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_of_a_listing_begins_with_a_failure_and_ends_with_a_message() {
        let mut attempts = Attempts::of_listing(Duration::from_secs(1));
        for _ in 0..3 {
            let message = async {
                sleep_until(Instant::now() + Duration::from_secs(60)).await;
                Ok(())
            };
            attempts.run(message).await.unwrap();
            attempts.wait_after(Status::unavailable("")).await.unwrap();
            assert!(attempts.run(pending::<Result<(), _>>()).await.is_err());
            attempts.progress();
        }
        attempts.run(ready(Ok(()))).await.unwrap();
    }
}

//! Points in time as signatures write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::error::SignError;

/// The longest that S3 lets a signature live.
const MAX_S3_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whole seconds since 1970, in a year of four digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Fractions of a second are cut off.
    pub(super) fn new(time: SystemTime) -> Result<Self, SignError> {
        seconds(time)
            .and_then(|seconds| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0))
            .filter(|time| time.year() <= 9999)
            .map(Self)
            .ok_or(SignError::argument(
                "time",
                "must be in the years 1970 to 9999",
            ))
    }

    /// The day, for comparing: `20130524`.
    pub(super) fn day(self) -> u32 {
        let year = self.0.year().unsigned_abs();
        (year * 100 + self.0.month()) * 100 + self.0.day()
    }

    /// `20130524`
    pub(super) fn date(self) -> String {
        format!("{:08}", self.day())
    }

    /// `20130524T000000Z`
    pub(super) fn date_time(self) -> String {
        let time = self.0.time();
        let clock = (time.hour() * 100 + time.minute()) * 100 + time.second();
        format!("{:08}T{clock:06}Z", self.day())
    }

    /// `2013-05-24T00:00:00Z`
    pub(super) fn iso(self) -> String {
        let (date, time) = (self.0.date_naive(), self.0.time());
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }

    pub(super) fn system_time(self) -> SystemTime {
        self.0.into()
    }
}

/// Whole seconds since 1970; `None` before.
pub(super) fn seconds(time: SystemTime) -> Option<u64> {
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// The whole seconds that a signature of S3's kind is to live: 1 s to 7 days.
pub(super) fn s3_expiry(expires_in: Duration) -> Result<Duration, SignError> {
    if expires_in > MAX_S3_EXPIRY || expires_in.as_secs() == 0 {
        return Err(SignError::argument(
            "expires_in",
            "must be 1 second to 7 days",
        ));
    }
    Ok(Duration::from_secs(expires_in.as_secs()))
}

/// The expiration of a policy: RFC 3339 in UTC, with or without fractions.
pub(super) fn parse_iso(text: &str) -> Option<SystemTime> {
    text.ends_with('Z')
        .then(|| DateTime::parse_from_rfc3339(text).ok())
        .flatten()
        .map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// `date -u -d @1369353600`, and the last second that has four digits for its year.
    #[test]
    fn dates_are_written_as_aws_wants_them() {
        let time = Timestamp::new(at(1_369_353_600) + Duration::from_millis(999)).expect("valid");
        assert_eq!(time.date(), "20130524");
        assert_eq!(time.date_time(), "20130524T000000Z");
        assert_eq!(time.iso(), "2013-05-24T00:00:00Z");
        assert_eq!(time.system_time(), at(1_369_353_600));
        let last = Timestamp::new(at(253_402_300_799)).expect("valid");
        assert_eq!(last.date_time(), "99991231T235959Z");
        assert!(Timestamp::new(at(253_402_300_800)).is_err());
        assert!(Timestamp::new(UNIX_EPOCH - Duration::from_secs(1)).is_err());
    }

    #[test]
    fn s3_signatures_live_a_second_to_seven_days() {
        let day = 24 * 3600;
        for (expires_in, lives) in [
            (Duration::ZERO, None),
            (Duration::from_millis(999), None),
            (Duration::from_secs(1), Some(1)),
            (Duration::from_millis(1999), Some(1)),
            (Duration::from_secs(7 * day), Some(7 * day)),
            (Duration::from_secs(7 * day) + Duration::from_nanos(1), None),
            (Duration::MAX, None),
        ] {
            assert_eq!(
                s3_expiry(expires_in).ok().map(|d| d.as_secs()),
                lives,
                "{expires_in:?}"
            );
        }
    }

    #[test]
    fn expirations_are_read_with_and_without_fractions() {
        assert_eq!(parse_iso("2013-05-24T00:00:00Z"), Some(at(1_369_353_600)));
        assert_eq!(
            parse_iso("2013-05-24T00:00:00.000Z"),
            Some(at(1_369_353_600))
        );
        for text in [
            "",
            "Z",
            "2013-05-24",
            "2013-05-24T00:00:00",
            "2013-05-24T00:00:00+00:00",
            "2013-13-24T00:00:00Z",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }
}

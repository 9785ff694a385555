//! From a notification, however it is wrapped, to buckets and keys. Nothing is fetched.
//!
//! The forms: the event itself
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>); an SNS
//! message around it; an SQS message around either, as `aws sqs receive-message` prints it and as
//! Lambda gets it (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).

use serde_json::Value;

/// Largest notification that is read, in bytes: more than Lambda hands out at once.
pub const MAX_EVENT_BYTES: usize = 8 << 20;

/// S3 in SNS in SQS is three deep.
const MAX_DEPTH: usize = 6;

/// One thing that happened to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectEvent {
    /// Its name: `ObjectCreated:Post`, without a leading `s3:`.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The key as it is stored, decoded.
    pub key: String,
}

/// The content of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Something happened to an object.
    Object(ObjectEvent),
    /// A message that is not an object event, and what it is.
    Other(String),
}

/// A document that is not an S3 notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an S3 event notification: {reason}")]
#[non_exhaustive]
pub struct InvalidEvent {
    /// The problem.
    pub reason: String,
}

impl From<InvalidEvent> for crate::error::Error {
    fn from(error: InvalidEvent) -> Self {
        Self::InvalidArgument {
            name: "event",
            reason: error.to_string(),
        }
    }
}

fn invalid(reason: impl Into<String>) -> InvalidEvent {
    InvalidEvent {
        reason: reason.into(),
    }
}

/// Reads a notification: bare, or wrapped by SNS, SQS or both.
///
/// ```
/// use lablink_storage::ops::{Notice, parse_event};
///
/// let notices = parse_event(
///     br#"{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Post",
///          "s3": {"bucket": {"name": "b"}, "object": {"key": "pending/components/a+b.jpg"}}}]}"#,
/// )?;
/// assert!(matches!(&notices[0], Notice::Object(event) if event.key == "pending/components/a b.jpg"));
/// # Ok::<(), lablink_storage::ops::InvalidEvent>(())
/// ```
///
/// # Errors
///
/// [`InvalidEvent`] for a document that is larger than [`MAX_EVENT_BYTES`], is no JSON, or has none of
/// the known forms anywhere: nothing of it counts then.
pub fn parse_event(document: &[u8]) -> Result<Vec<Notice>, InvalidEvent> {
    if document.len() > MAX_EVENT_BYTES {
        return Err(invalid(format!(
            "it is larger than {MAX_EVENT_BYTES} bytes"
        )));
    }
    let value = serde_json::from_slice(document)
        .map_err(|error| invalid(format!("it is not JSON ({error})")))?;
    let mut notices = Vec::new();
    open(&value, MAX_DEPTH, &mut notices)?;
    Ok(notices)
}

fn open(value: &Value, depth: usize, notices: &mut Vec<Notice>) -> Result<(), InvalidEvent> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(invalid("it is wrapped too many times"));
    };
    if let Some(list) = value.as_array() {
        return list.iter().try_for_each(|each| open(each, depth, notices));
    }
    let field = |name: &str| value.get(name);
    if let Some(records) = field("Records").and_then(Value::as_array) {
        return records
            .iter()
            .try_for_each(|record| open(record, depth, notices));
    }
    if let Some(messages) = field("Messages").and_then(Value::as_array) {
        return messages
            .iter()
            .try_for_each(|message| open(message, depth, notices));
    }
    if field("s3").is_some() {
        notices.push(object_event(value)?);
        return Ok(());
    }
    if field("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        notices.push(Notice::Other("the test event of a new notification".into()));
        return Ok(());
    }
    if let Some(sns) = field("Sns") {
        return open(sns, depth, notices);
    }
    match field("Type").and_then(Value::as_str) {
        Some("SubscriptionConfirmation") => {
            notices.push(Notice::Other(
                "an SNS subscription to confirm: check its topic and confirm it yourself (aws sns \
                 confirm-subscription); no URL in a message is ever fetched"
                    .into(),
            ));
            return Ok(());
        }
        Some("UnsubscribeConfirmation") => {
            notices.push(Notice::Other("the end of an SNS subscription".into()));
            return Ok(());
        }
        _ => {}
    }
    let inner = ["body", "Body", "Message"]
        .into_iter()
        .find_map(|name| field(name).and_then(Value::as_str));
    match inner {
        Some(text) => {
            let value = serde_json::from_str(text)
                .map_err(|error| invalid(format!("the message in it is not JSON ({error})")))?;
            open(&value, depth, notices)
        }
        None => Err(invalid(
            "it has neither Records nor a message that holds some",
        )),
    }
}

fn object_event(record: &Value) -> Result<Notice, InvalidEvent> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let (Some(name), Some(bucket), Some(key)) = (
        text("/eventName"),
        text("/s3/bucket/name"),
        text("/s3/object/key"),
    ) else {
        return Err(invalid(
            "a record lacks eventName, s3.bucket.name or s3.object.key",
        ));
    };
    // Ceph says "ceph:s3" and hands the key over as it is; AWS encodes it like a form field.
    let raw = text("/eventSource").is_some_and(|source| source.starts_with("ceph:"));
    let key = if raw {
        key.to_owned()
    } else {
        form_decode(key).ok_or_else(|| invalid("a key is not encoded as S3 encodes keys"))?
    };
    Ok(Notice::Object(ObjectEvent {
        name: name.strip_prefix("s3:").unwrap_or(name).to_owned(),
        bucket: bucket.to_owned(),
        key,
    }))
}

/// Undoes application/x-www-form-urlencoded: `+` is a space, `%XX` a byte of UTF-8.
fn form_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(source: &str, key: &str) -> Value {
        json!({
            "eventVersion": "2.2", "eventSource": source, "awsRegion": "eu-central-1",
            "eventTime": "2026-11-23T18:00:00.000Z", "eventName": "ObjectCreated:Post",
            "s3": {"s3SchemaVersion": "1.0", "configurationId": "x",
                   "bucket": {"name": "images", "arn": "arn:aws:s3:::images"},
                   "object": {"key": key, "size": 5, "eTag": "d41d8cd9", "sequencer": "00"}},
        })
    }

    fn keys(document: &Value) -> Vec<String> {
        parse_event(document.to_string().as_bytes())
            .expect("a notification")
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::Object(event) => Some(event.key),
                Notice::Other(_) => None,
            })
            .collect()
    }

    #[test]
    fn keys_are_decoded_as_s3_encodes_them_and_left_alone_from_ceph() {
        let encoded = "pending/components/Sch%C3%B6ne+Platine%2B1.jpg";
        let aws = json!({"Records": [record("aws:s3", encoded)]});
        assert_eq!(keys(&aws), ["pending/components/Schöne Platine+1.jpg"]);
        let ceph = json!({"Records": [record("ceph:s3", "pending/a+b%20c.jpg")]});
        assert_eq!(keys(&ceph), ["pending/a+b%20c.jpg"]);
    }

    #[test]
    fn every_wrapping_is_opened() {
        let bare = json!({"Records": [record("aws:s3", "k1"), record("aws:s3", "k2")]});
        let sns = json!({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:r:1:t",
                         "Message": bare.to_string(), "SigningCertURL": "http://127.0.0.1:1/"});
        let lambda_sns = json!({"Records": [{"EventSource": "aws:sns", "Sns": sns}]});
        let received = json!({"Messages": [{"MessageId": "1", "Body": bare.to_string()}]});
        let received_sns = json!({"Messages": [{"MessageId": "1", "Body": sns.to_string()}]});
        let lambda_sqs = json!({"Records": [
            {"messageId": "1", "eventSource": "aws:sqs", "body": bare.to_string()},
            {"messageId": "2", "eventSource": "aws:sqs", "body": sns.to_string()},
        ]});
        for wrapped in [&bare, &sns, &lambda_sns, &received, &received_sns] {
            assert_eq!(keys(wrapped), ["k1", "k2"], "{wrapped}");
        }
        assert_eq!(keys(&lambda_sqs), ["k1", "k2", "k1", "k2"]);
    }

    proptest::proptest! {
        /// Any key survives any wrapping, at most two of them as with SNS in SQS: decoded once from AWS, not at
        /// all from Ceph. The encoder is the url crate's.
        #[test]
        fn keys_survive_encoding_and_wrapping(key in ".{1,80}", wraps in proptest::collection::vec(0..4, 0..=2)) {
            let encoded: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
            for (source, sent) in [("aws:s3", &encoded), ("ceph:s3", &key)] {
                let mut document = json!({"Records": [record(source, sent)]});
                for wrap in &wraps {
                    let text = document.to_string();
                    document = match wrap {
                        0 => json!({"Type": "Notification", "Message": text}),
                        1 => json!({"Messages": [{"Body": text}]}),
                        2 => json!({"Records": [{"eventSource": "aws:sqs", "body": text}]}),
                        _ => json!([document]),
                    };
                }
                proptest::prop_assert_eq!(keys(&document), [key.as_str()]);
            }
        }
    }

    #[test]
    fn what_is_no_object_event_is_told_apart() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "images"});
        let confirm =
            json!({"Type": "SubscriptionConfirmation", "SubscribeURL": "http://127.0.0.1:1/"});
        for (document, word) in [(test, "test event"), (confirm, "subscription")] {
            let notices = parse_event(document.to_string().as_bytes()).expect("known");
            assert!(matches!(&notices[..], [Notice::Other(text)] if text.contains(word)));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let mut nested = json!({"Records": []});
        for _ in 0..10 {
            nested = json!({"Type": "Notification", "Message": nested.to_string()});
        }
        for (document, word) in [
            (b"not json".to_vec(), "not JSON"),
            (b"{}".to_vec(), "neither"),
            (b"7".to_vec(), "neither"),
            (br#"{"Records":[{"s3":{}}]}"#.to_vec(), "lacks"),
            (br#"{"Records":[{"eventName":"x","s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}"#.to_vec(), "encoded"),
            (br#"{"Type":"Notification","Message":"hello"}"#.to_vec(), "not JSON"),
            (nested.to_string().into_bytes(), "too many"),
            (vec![b' '; MAX_EVENT_BYTES + 1], "larger"),
            ("[".repeat(100_000).into_bytes(), "not JSON"),
        ] {
            let error = parse_event(&document).expect_err(word);
            assert!(error.reason.contains(word), "{error}");
        }
    }
}

//! What can be wrong with a request or its answer.

/// What happens to a request, or to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// The connection is closed as soon as the request begins.
    Closed,
    /// It is reset once the headers came.
    ResetBeforeBody,
    /// It is reset in the middle of the request's body.
    ResetInBody,
    /// It is reset once all of the request came, which is not passed on.
    ResetAfterBody,
    /// The request is served, and the connection reset instead of an answer.
    ServedAndReset,
    /// No answer, and the request is not passed on.
    Silent,
    /// The request is served, and no answer comes.
    ServedAndSilent,
    /// Half of the body comes, with the length of that half.
    Half,
    /// Half of the body comes, then the connection ends.
    Truncated,
    /// Half of the body comes, then the connection is reset.
    TruncatedAndReset,
    /// Half of the body comes, then nothing.
    Stalled,
    /// The body comes in small pieces, slowly.
    Slow,
    /// The answer is late.
    Late,
    /// An error of S3's.
    Xml(u16, &'static str),
    /// A page of a proxy's.
    Html(u16),
    /// A page, with the headers that web servers give to files.
    HtmlOfAFile,
    /// An answer without a body.
    Empty(u16),
    /// Another service.
    Json,
    /// A redirect to nowhere.
    Redirect(u16),
    /// The entity tag of other bytes.
    WrongETag,
    NoETag,
    /// The length is that of a longer body.
    LongLength,
    /// The length is that of a shorter body, which comes whole.
    ShortLength,
    /// No length; the body comes in chunks.
    Chunked,
    /// No length; the body ends where the connection does, half-way.
    UnmarkedHalf,
    /// One bit of the body is another one.
    Flipped,
    /// XML without a meaning.
    OtherXml,
    /// A listing that goes on where it began.
    Endless,
    /// A listing that says that it goes on, and not where.
    CutShort,
    /// Not HTTP.
    Garbage,
    /// The answer comes twice.
    Twice,
    NoDates,
    OddDates,
    /// Headers of Amazon's own are left out.
    NoAmazonHeaders,
}

/// What breaks, by accident or for good.
pub const FAULTS: [Spoil; 60] = {
    use Spoil::*;
    [
        Closed,
        ResetBeforeBody,
        ResetInBody,
        ResetAfterBody,
        ServedAndReset,
        Silent,
        ServedAndSilent,
        Half,
        Truncated,
        TruncatedAndReset,
        Stalled,
        Slow,
        Late,
        Xml(500, "InternalError"),
        Xml(503, "SlowDown"),
        Xml(503, "ServiceUnavailable"),
        Xml(400, "RequestTimeout"),
        Xml(403, "AccessDenied"),
        Xml(403, "QuotaExceeded"),
        Xml(403, "RequestTimeTooSkewed"),
        Xml(403, "InvalidObjectState"),
        Xml(404, "NoSuchBucket"),
        Xml(409, "OperationAborted"),
        Xml(412, "PreconditionFailed"),
        Xml(416, "InvalidRange"),
        Xml(400, "ExpiredToken"),
        Xml(200, "InternalError"),
        Html(200),
        Html(301),
        Html(400),
        Html(401),
        Html(403),
        Html(404),
        Html(409),
        Html(412),
        Html(413),
        Html(416),
        Html(429),
        Html(500),
        Html(502),
        Html(503),
        Html(504),
        HtmlOfAFile,
        Empty(200),
        Empty(404),
        Json,
        Redirect(301),
        Redirect(307),
        WrongETag,
        NoETag,
        LongLength,
        ShortLength,
        Chunked,
        UnmarkedHalf,
        Flipped,
        OtherXml,
        Endless,
        CutShort,
        Garbage,
        Twice,
    ]
};

/// What some servers and proxies do, and nobody should notice.
pub const ODDITIES: [Spoil; 6] = [
    Spoil::Late,
    Spoil::NoETag,
    Spoil::Chunked,
    Spoil::NoDates,
    Spoil::OddDates,
    Spoil::NoAmazonHeaders,
];

/// What passes, and is not to be noticed if it happens once.
pub fn passes(spoil: Spoil) -> bool {
    use Spoil::*;
    matches!(
        spoil,
        Closed
            | ResetBeforeBody
            | ResetInBody
            | ResetAfterBody
            | ServedAndReset
            | Truncated
            | TruncatedAndReset
            | Garbage
            | Xml(500 | 503, _)
            | Xml(400, "RequestTimeout")
            | Html(429 | 500 | 502 | 503 | 504)
    )
}

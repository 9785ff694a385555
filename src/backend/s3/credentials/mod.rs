//! Credentials, found within four seconds, kept until shortly before they end, and fetched by one
//! caller at a time.

mod container;
mod fetch;
mod imds;
mod process;
mod profile;
mod web_identity;

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

use crate::causes::words;
use crate::config::{CredentialsChain, CredentialsSource, S3Config, SharedProvider};
use crate::sign::{Credentials, SigV4, SignError};

/// Longest search for credentials, over all sources: with it, and a request, a status page has its answer in
/// five.
const DEADLINE: Duration = Duration::from_secs(4);

/// Time before their end at which credentials are renewed. AWS has new ones at hand five minutes before.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// Time during which a failure is repeated without asking again: a request of several steps fails once.
const FAILURE_HOLDS: Duration = Duration::from_secs(3);

const EC2_ROLE: &str = "EC2 role";
const PROVIDER: &str = "the application's provider";

/// A failed search for credentials: every source that was tried, with its outcome.
#[derive(Debug, Clone)]
pub(in crate::backend) struct CredentialsFailure {
    tried: Vec<(&'static str, String)>,
    passing: bool,
}

impl CredentialsFailure {
    /// Returns whether a source exists but did not answer, so that the next search may find keys.
    pub(in crate::backend) fn is_passing(&self) -> bool {
        self.passing
    }

    pub(in crate::backend) fn hint(&self) -> String {
        let is_ours = self.tried.iter().all(|(source, _)| *source != PROVIDER);
        let hint = if is_ours {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to this machine or \
             container"
        } else {
            "see why the application's own provider of credentials failed"
        };
        hint.to_owned()
    }
}

impl fmt::Display for CredentialsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credentials were found; tried")?;
        for (index, (source, outcome)) in self.tried.iter().enumerate() {
            let separator = if index == 0 { ' ' } else { ';' };
            let space = if index == 0 { "" } else { " " };
            write!(f, "{separator}{space}{source} ({outcome})")?;
        }
        Ok(())
    }
}

impl Error for CredentialsFailure {}

/// The answer of a source: keys, nothing because it is not set up, or a failure.
type Found = Result<Option<Credentials>, SourceFailure>;

/// The failure of a source that is set up.
#[derive(Debug)]
struct SourceFailure {
    problem: String,
    /// It may have some later.
    passing: bool,
    /// Nobody asked for this source: the search goes on.
    unnamed: bool,
}

impl<T: Into<String>> From<T> for SourceFailure {
    fn from(problem: T) -> Self {
        Self {
            problem: problem.into(),
            passing: false,
            unnamed: false,
        }
    }
}

/// The signer of this bucket's requests.
pub(super) struct Provider {
    source: CredentialsSource,
    region: String,
    client: reqwest::Client,
    cache: tokio::sync::Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    held: Option<Held>,
    failed: Option<(Instant, CredentialsFailure)>,
}

#[derive(Clone)]
struct Held {
    source: &'static str,
    since: Instant,
    aws: Arc<AwsCredential>,
    signer: Arc<SigV4>,
}

impl Held {
    fn new(
        source: &'static str,
        credentials: Credentials,
        region: &str,
    ) -> Result<Self, SignError> {
        let token = credentials.session_token.as_ref();
        let aws = AwsCredential {
            key_id: credentials.access_key_id.clone(),
            secret_key: credentials.secret_access_key.expose().to_owned(),
            token: token.map(|token| token.expose().to_owned()),
        };
        Ok(Self {
            source,
            since: Instant::now(),
            aws: Arc::new(aws),
            signer: Arc::new(SigV4::new(credentials, region)?),
        })
    }

    fn lasts(&self, margin: Duration) -> bool {
        match self.signer.credentials().expires_at {
            Some(end) => end > SystemTime::now() + margin,
            None => true,
        }
    }
}

impl Provider {
    pub(super) fn new(bucket: &S3Config, client: reqwest::Client) -> Result<Self, SignError> {
        let source = bucket.credentials().clone();
        let region = bucket.region().to_owned();
        let held = match &source {
            CredentialsSource::Static(given) => {
                let mut keys =
                    Credentials::new(given.access_key_id.clone(), given.secret_access_key.clone());
                keys.session_token = given.session_token.clone();
                Some(Held::new("AWS_ACCESS_KEY_ID", keys, &region)?)
            }
            CredentialsSource::Chain(_) | CredentialsSource::Provider(_) => None,
        };
        Ok(Self {
            source,
            region,
            client,
            cache: tokio::sync::Mutex::new(Cache { held, failed: None }),
        })
    }

    /// The signer that has these credentials; they are fetched where there are none at hand.
    pub(super) async fn signer(&self) -> Result<Arc<SigV4>, CredentialsFailure> {
        self.held().await.map(|held| held.signer)
    }

    /// Returns the source of the present credentials, and when they expire.
    pub(super) async fn origin(
        &self,
    ) -> Result<(&'static str, Option<SystemTime>), CredentialsFailure> {
        let held = self.held().await?;
        Ok((held.source, held.signer.credentials().expires_at))
    }

    /// Drops credentials that the server took for ended before their time. Whether the next that are used
    /// may be others: those that were given stay as they are.
    pub(super) async fn renew(&self) -> bool {
        if let CredentialsSource::Static(_) = self.source {
            return false;
        }
        let mut cache = self.cache.lock().await;
        // Somebody else who was refused may have renewed them already.
        if cache
            .held
            .as_ref()
            .is_some_and(|held| held.since.elapsed() > FAILURE_HOLDS)
        {
            *cache = Cache::default();
        }
        true
    }

    async fn held(&self) -> Result<Held, CredentialsFailure> {
        // Whoever waits here waits for one search, bounded below.
        let mut cache = self.cache.lock().await;
        if let Some(held) = cache.held.as_ref().filter(|held| held.lasts(RENEW_BEFORE)) {
            return Ok(held.clone());
        }
        let failed = match &cache.failed {
            Some((at, failure)) if at.elapsed() < FAILURE_HOLDS => failure.clone(),
            _ => match self.search().await {
                Ok(held) => {
                    cache.held = Some(held.clone());
                    cache.failed = None;
                    return Ok(held);
                }
                Err(failure) => {
                    cache.failed = Some((Instant::now(), failure.clone()));
                    failure
                }
            },
        };
        // Near their end the old ones are still better than none.
        match &cache.held {
            Some(held) if held.lasts(Duration::ZERO) => {
                tracing::warn!(%failed, "credentials could not be renewed, using those at hand");
                Ok(held.clone())
            }
            _ => Err(failed),
        }
    }

    async fn search(&self) -> Result<Held, CredentialsFailure> {
        let trail = Trail::default();
        match tokio::time::timeout(DEADLINE, self.find(&trail)).await {
            Ok(Some(keys)) => Held::new(trail.current(), keys, &self.region).map_err(|error| {
                trail.ended(error.to_string());
                trail.into_failure()
            }),
            Ok(None) => Err(trail.into_failure()),
            Err(_) => {
                trail.ended(format!("no answer within {} s", DEADLINE.as_secs()));
                // Where nothing is set up, nothing answers at the metadata service, ever.
                trail.passing(trail.current() != EC2_ROLE);
                Err(trail.into_failure())
            }
        }
    }

    async fn find(&self, trail: &Trail) -> Option<Credentials> {
        let provider = match &self.source {
            CredentialsSource::Chain(chain) => return self.walk(chain, trail).await,
            CredentialsSource::Provider(SharedProvider(provider)) => provider,
            CredentialsSource::Static(_) => return None,
        };
        trail.begin(PROVIDER);
        let found = provider.provide().await.map(Some);
        let found = found.map_err(|error| SourceFailure {
            problem: words(&*error),
            passing: true,
            unnamed: false,
        });
        trail.outcome(found).flatten()
    }

    /// Asks one source after the other. One that is set up and fails ends the search: falling through
    /// to another identity would surprise more than the error.
    async fn walk(&self, chain: &CredentialsChain, trail: &Trail) -> Option<Credentials> {
        trail.begin("AWS_ACCESS_KEY_ID");
        trail.ended("not set");
        let (client, region) = (&self.client, self.region.as_str());
        trail.begin("shared credentials file");
        if let Some(end) = trail.outcome(profile::find(chain, DEADLINE).await) {
            return end;
        }
        trail.begin("web identity");
        if let Some(end) = trail.outcome(web_identity::find(chain, client, region).await) {
            return end;
        }
        trail.begin("container");
        if let Some(end) = trail.outcome(container::find(chain, client).await) {
            return end;
        }
        trail.begin(EC2_ROLE);
        trail.outcome(imds::find(chain).await).flatten()
    }
}

/// The sources tried so far: it outlives the search that a deadline ends.
#[derive(Default)]
struct Trail(Mutex<Vec<(&'static str, String)>>, AtomicBool);

impl Trail {
    fn tried(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, source: &'static str) {
        self.tried().push((source, String::new()));
    }

    fn passing(&self, passing: bool) {
        self.1.store(passing, Ordering::Relaxed);
    }

    fn current(&self) -> &'static str {
        self.tried().last().map_or("", |(source, _)| source)
    }

    fn ended(&self, how: impl Into<String>) {
        if let Some((_, outcome)) = self.tried().last_mut() {
            *outcome = how.into();
        }
    }

    /// `None` where the search goes on; what it ends with otherwise.
    fn outcome(&self, found: Found) -> Option<Option<Credentials>> {
        match found {
            Ok(Some(keys)) => Some(Some(keys)),
            Ok(None) => {
                self.ended("not set up");
                None
            }
            Err(trouble) => {
                self.ended(trouble.problem);
                self.passing(trouble.passing);
                (!trouble.unnamed).then_some(None)
            }
        }
    }

    fn into_failure(self) -> CredentialsFailure {
        CredentialsFailure {
            tried: self.0.into_inner().unwrap_or_else(PoisonError::into_inner),
            passing: self.1.into_inner(),
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        match self.held().await {
            Ok(held) => Ok(held.aws),
            Err(failure) => Err(object_store::Error::Generic {
                store: "S3",
                source: failure.into(),
            }),
        }
    }
}

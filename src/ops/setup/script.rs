//! One bash script of AWS CLI commands.
//!
//! Every command either asks before it creates or sets a whole document, so that running the script
//! again changes nothing. What it is about to replace is kept first.

use std::fmt::Write as _;

use super::options::service;
use super::{Setup, distribution};

/// The script's own functions. `set_document` keeps the present setting before it writes;
/// `may_be_missing` tells what a server other than AWS does not know, and goes on.
const FUNCTIONS: &str = r#"
export AWS_PAGER=""
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kept="setup-kept-$BUCKET-$(date -u +%Y%m%dT%H%M%SZ)"

say() { printf '%s\n' "$*"; }

# keep NAME COMMAND...: saves the setting as it is, once, before it is replaced.
keep() {
  local name=$1; shift
  if "$@" --output json > "$work/$name.old" 2>/dev/null && [ -s "$work/$name.old" ]; then
    mkdir -p "$kept" && cp "$work/$name.old" "$kept/$name.json"
  fi
}

# fill FILE: puts in what is known only now.
fill() {
  sed -i -e "s|ACCOUNT_ID|${ACCOUNT:-}|g" -e "s|DISTRIBUTION_ID|${DISTRIBUTION:-}|g" \
    -e "s|ACCESS_CONTROL_ID|${ACCESS_CONTROL:-}|g" "$1"
}

# may_be_missing WHAT COMMAND...: on a server other than AWS, names what it refuses and goes on, unless
# it is the rights, the bucket or the server that is missing.
may_be_missing() {
  local what=$1; shift
  if "$@" 2> "$work/error"; then say "ok: $what"; return; fi
  if [ -n "$ENDPOINT" ] && ! grep -Eqi 'AccessDenied|NoSuchBucket|Signature|InvalidAccessKeyId|Token|credentials|connect|time' "$work/error"; then
    say "not on this server: $what"
  else
    cat "$work/error" >&2
    say "failed: $what" >&2
    exit 1
  fi
}
"#;

pub(super) fn write(setup: &Setup) -> String {
    let mut script = Script::new(setup);
    script.bucket();
    script.bucket_settings();
    if setup.behind_cloudfront() {
        script.distribution();
    }
    script.bucket_policy();
    script.rights();
    if setup.options.replica.is_some() {
        script.replication();
    }
    if setup.options.notify.is_some() {
        script.notification();
    }
    script.end()
}

struct Script<'a> {
    setup: &'a Setup,
    text: String,
}

impl<'a> Script<'a> {
    fn new(setup: &'a Setup) -> Self {
        let options = &setup.options;
        let mut text = String::from(
            "#!/usr/bin/env bash\n\
             # Creates and sets up a bucket for lablink-storage. It can be run again at any time.\n\
             # It needs the AWS CLI version 2 and an administrator's credentials.\n\
             set -euo pipefail\n\n",
        );
        let endpoint = options.endpoint_url.as_deref().unwrap_or_default();
        for (name, value) in [
            ("BUCKET", options.bucket.as_str()),
            ("REGION", options.region.as_str()),
            ("ENDPOINT", endpoint),
            ("ROLE", options.role.as_str()),
            ("ACCOUNT", options.account.as_deref().unwrap_or_default()),
        ] {
            let _ = writeln!(text, "{name}={}", quote(value));
        }
        // Services without a region of their own still belong to the region's part of AWS.
        text.push_str("export AWS_REGION=\"$REGION\" AWS_DEFAULT_REGION=\"$REGION\"\n");
        text.push_str(FUNCTIONS);
        text.push_str("\ns3() { aws --region \"$REGION\"");
        if !endpoint.is_empty() {
            text.push_str(" --endpoint-url \"$ENDPOINT\"");
        }
        text.push_str(" s3api \"$@\"; }\n");
        Self { setup, text }
    }

    fn on_aws(&self) -> bool {
        self.setup.options.endpoint_url.is_none()
    }

    fn title(&mut self, title: &str) {
        let _ = write!(self.text, "\nsay {}\n", quote(&format!("== {title}")));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes the document into the script's working directory, where it is called `NAME.json`.
    fn document(&mut self, name: &str) -> bool {
        let documents = self.setup.documents();
        let Some(document) = documents.get(name) else {
            return false;
        };
        let _ = write!(
            self.text,
            "cat > \"$work/{name}.json\" <<'DOCUMENT'\n{document:#}\nDOCUMENT\nfill \"$work/{name}.json\"\n"
        );
        true
    }

    /// Keeps the present setting, then sets the document: `put-NOUN` with `--FLAG`.
    fn set(&mut self, document: &str, noun: &str, flag: &str, title: &str) {
        if !self.document(document) {
            return;
        }
        let _ = writeln!(
            self.text,
            "keep {document} s3 get-{noun} --bucket \"$BUCKET\"\n\
             may_be_missing {} s3 put-{noun} --bucket \"$BUCKET\" --{flag} \"file://$work/{document}.json\"",
            quote(title)
        );
    }

    fn bucket(&mut self) {
        if self.on_aws() {
            self.title("account");
            self.line("[ -n \"$ACCOUNT\" ] || ACCOUNT=$(aws --region \"$REGION\" sts get-caller-identity --query Account --output text)");
            self.line("say \"ok: account $ACCOUNT\"");
        }
        self.title("bucket");
        self.document("create_bucket");
        self.line(
            "if s3 head-bucket --bucket \"$BUCKET\" > /dev/null 2> \"$work/error\"; then\n  \
               say \"ok: $BUCKET is there\"\n\
             elif grep -q 403 \"$work/error\"; then\n  \
               say \"failed: $BUCKET is there, but it is not yours: choose another name in AWS_S3_BUCKET\" >&2; exit 1\n\
             else\n  \
               s3 create-bucket --cli-input-json \"file://$work/create_bucket.json\" > /dev/null\n  \
               s3 wait bucket-exists --bucket \"$BUCKET\"\n  \
               say \"ok: $BUCKET created\"\n\
             fi",
        );
    }

    fn bucket_settings(&mut self) {
        self.title("settings of the bucket");
        for (document, noun, flag, title) in [
            ("tags", "bucket-tagging", "tagging", "tags"),
            (
                "ownership_controls",
                "bucket-ownership-controls",
                "ownership-controls",
                "bucket owner owns every object, no ACLs",
            ),
            (
                "public_access_block",
                "public-access-block",
                "public-access-block-configuration",
                "Block Public Access",
            ),
            (
                "encryption",
                "bucket-encryption",
                "server-side-encryption-configuration",
                "default encryption",
            ),
            (
                "versioning",
                "bucket-versioning",
                "versioning-configuration",
                "versioning",
            ),
            (
                "lifecycle",
                "bucket-lifecycle-configuration",
                "lifecycle-configuration",
                "lifecycle rules",
            ),
            (
                "accelerate",
                "bucket-accelerate-configuration",
                "accelerate-configuration",
                "transfer acceleration",
            ),
        ] {
            self.set(document, noun, flag, title);
            if document == "public_access_block" && !self.on_aws() {
                self.try_to_write();
            }
        }
        if self.setup.options.origins.is_empty() {
            self.line("say 'left out: CORS (no --origin given: pages cannot upload or read pixels directly)'");
        } else {
            self.set("cors", "bucket-cors", "cors-configuration", "CORS rules");
        }
    }

    /// Ceph 16 refuses every write without an ACL once public ACLs are blocked.
    fn try_to_write(&mut self) {
        let probe = quote(&format!("{}/setup-probe", self.setup.pending_prefix()));
        let _ = writeln!(
            self.text,
            "printf probe > \"$work/probe\"\n\
             if ! s3 put-object --bucket \"$BUCKET\" --key {probe} --body \"$work/probe\" > /dev/null 2>&1; then\n  \
               sed -i 's/\"BlockPublicAcls\": true/\"BlockPublicAcls\": false/' \"$work/public_access_block.json\"\n  \
               s3 put-public-access-block --bucket \"$BUCKET\" --public-access-block-configuration \"file://$work/public_access_block.json\"\n  \
               say 'not on this server: BlockPublicAcls (with it, every write is refused)'\n\
             fi\n\
             s3 delete-object --bucket \"$BUCKET\" --key {probe} > /dev/null 2>&1 || true"
        );
    }

    fn bucket_policy(&mut self) {
        self.title("bucket policy");
        self.document("bucket_policy");
        self.line("keep bucket_policy s3 get-bucket-policy --bucket \"$BUCKET\" --query Policy");
        // Right after Block Public Access is opened, S3 may still refuse a public policy for a moment.
        self.line(
            "for try in 1 2 3 4 5 6; do\n  \
               if s3 put-bucket-policy --bucket \"$BUCKET\" --policy \"file://$work/bucket_policy.json\" 2> \"$work/error\"; then\n    \
                 say 'ok: bucket policy'; break\n  \
               fi\n  \
               if [ -n \"$ENDPOINT\" ] && grep -Eq 'NotImplemented|MethodNotAllowed' \"$work/error\"; then\n    \
                 say 'not on this server: bucket policy (make the images public by its own means)'; break\n  \
               fi\n  \
               if ! grep -q AccessDenied \"$work/error\"; then\n    \
                 cat \"$work/error\" >&2; say 'failed: bucket policy' >&2; exit 1\n  \
               fi\n  \
               if [ \"$try\" = 6 ]; then\n    \
                 cat \"$work/error\" >&2; say 'failed: bucket policy (is Block Public Access on for the whole account?)' >&2; exit 1\n  \
               fi\n  \
               sleep 5\n\
             done",
        );
    }

    fn distribution(&mut self) {
        if !self.on_aws() {
            self.line("say 'left out: CloudFront (it takes a bucket on AWS)'");
            return;
        }
        let known = self.setup.options.cloudfront_domain.as_deref();
        let query = match known {
            Some(domain) if domain.ends_with(".cloudfront.net") => {
                format!("DistributionList.Items[?DomainName=='{domain}'] | [0].Id")
            }
            Some(domain) => format!(
                "DistributionList.Items[?Aliases.Items && contains(Aliases.Items, '{domain}')] | [0].Id"
            ),
            None => format!(
                "DistributionList.Items[?Comment=='{}'] | [0].Id",
                distribution::comment(self.setup)
            ),
        };
        self.title("CloudFront");
        let _ = writeln!(
            self.text,
            "DISTRIBUTION=$(aws cloudfront list-distributions --query {} --output text)",
            quote(&query)
        );
        self.line("if [ -z \"$DISTRIBUTION\" ] || [ \"$DISTRIBUTION\" = None ]; then");
        match known {
            Some(domain)
                if domain.ends_with(".cloudfront.net")
                    || self.setup.options.certificate.is_none() =>
            {
                let _ = writeln!(
                    self.text,
                    "  say {} >&2; exit 1\nfi",
                    quote(&format!(
                        "failed: no distribution answers for {domain}: unset CLOUDFRONT_DOMAIN to create one, or give --certificate for a domain of your own"
                    ))
                );
            }
            _ => self.create_distribution(),
        }
        self.line(
            "DOMAIN=$(aws cloudfront get-distribution --id \"$DISTRIBUTION\" --query Distribution.DomainName --output text)\n\
             say \"ok: distribution $DISTRIBUTION, domain $DOMAIN; a new one answers after some minutes\"",
        );
        if known.is_none() {
            self.line("say \"   tell the application: CLOUDFRONT_DOMAIN=$DOMAIN\"");
        }
    }

    fn create_distribution(&mut self) {
        self.document("origin_access_control");
        self.line(
            "ACCESS_CONTROL=$(aws cloudfront list-origin-access-controls --query \"OriginAccessControlList.Items[?Name=='$BUCKET'] | [0].Id\" --output text)\n\
             if [ -z \"$ACCESS_CONTROL\" ] || [ \"$ACCESS_CONTROL\" = None ]; then\n  \
               ACCESS_CONTROL=$(aws cloudfront create-origin-access-control --origin-access-control-config \"file://$work/origin_access_control.json\" --query OriginAccessControl.Id --output text)\n\
             fi",
        );
        self.document("distribution");
        self.line(
            "DISTRIBUTION=$(aws cloudfront create-distribution --distribution-config \"file://$work/distribution.json\" --query Distribution.Id --output text)\nfi",
        );
    }

    /// IAM, the EC2 role and its instance profile: AWS only, other servers manage users in their own way.
    fn rights(&mut self) {
        self.title("rights of the application");
        if !self.on_aws() {
            self.line("say 'left out: IAM policy, EC2 role and instance profile (they are AWS services; give the application a user of this server)'");
            return;
        }
        self.document("iam_policy");
        self.document("trust_policy");
        self.line(
            "aws iam get-role --role-name \"$ROLE\" > /dev/null 2>&1 || aws iam create-role --role-name \"$ROLE\" --assume-role-policy-document \"file://$work/trust_policy.json\" > /dev/null\n\
             aws iam put-role-policy --role-name \"$ROLE\" --policy-name \"images-in-$BUCKET\" --policy-document \"file://$work/iam_policy.json\"\n\
             aws iam get-instance-profile --instance-profile-name \"$ROLE\" > /dev/null 2>&1 || aws iam create-instance-profile --instance-profile-name \"$ROLE\" > /dev/null\n\
             if [ \"$(aws iam get-instance-profile --instance-profile-name \"$ROLE\" --query \"length(InstanceProfile.Roles[?RoleName=='$ROLE'])\" --output text)\" = 0 ]; then\n  \
               aws iam add-role-to-instance-profile --instance-profile-name \"$ROLE\" --role-name \"$ROLE\"\n\
             fi\n\
             say \"ok: role and instance profile $ROLE\"\n\
             say \"   attach it: aws ec2 associate-iam-instance-profile --instance-id INSTANCE --iam-instance-profile Name=$ROLE\"",
        );
        if let Some(user) = &self.setup.options.user {
            let user = quote(user);
            let _ = writeln!(
                self.text,
                "aws iam get-user --user-name {user} > /dev/null 2>&1 || aws iam create-user --user-name {user} > /dev/null\n\
                 aws iam put-user-policy --user-name {user} --policy-name \"images-in-$BUCKET\" --policy-document \"file://$work/iam_policy.json\"\n\
                 say 'ok: user '{user}\n\
                 say '   its keys, shown once: aws iam create-access-key --user-name '{user}"
            );
        }
    }

    fn replication(&mut self) {
        let Some((replica, region)) = &self.setup.options.replica else {
            return;
        };
        self.title("replication");
        if !self.on_aws() {
            self.line("say 'left out: replication (it needs an IAM role)'");
            return;
        }
        let (replica, region) = (quote(replica), quote(region));
        let location = if region == "'us-east-1'" {
            String::new()
        } else {
            format!(" --create-bucket-configuration LocationConstraint={region}")
        };
        let _ = writeln!(
            self.text,
            "aws --region {region} s3api head-bucket --bucket {replica} > /dev/null 2>&1 || aws --region {region} s3api create-bucket --bucket {replica}{location} > /dev/null\n\
             aws --region {region} s3api put-bucket-versioning --bucket {replica} --versioning-configuration Status=Enabled"
        );
        for name in [
            "replication_trust_policy",
            "replication_policy",
            "replication",
        ] {
            self.document(name);
        }
        self.line(
            "if ! aws iam get-role --role-name \"$ROLE-replication\" > /dev/null 2>&1; then\n  \
               aws iam create-role --role-name \"$ROLE-replication\" --assume-role-policy-document \"file://$work/replication_trust_policy.json\" > /dev/null\n  \
               aws iam wait role-exists --role-name \"$ROLE-replication\"\n\
             fi\n\
             aws iam put-role-policy --role-name \"$ROLE-replication\" --policy-name \"replicate-$BUCKET\" --policy-document \"file://$work/replication_policy.json\"\n\
             keep replication s3 get-bucket-replication --bucket \"$BUCKET\"\n\
             s3 put-bucket-replication --bucket \"$BUCKET\" --replication-configuration \"file://$work/replication.json\"\n\
             say 'ok: replication'",
        );
    }

    fn notification(&mut self) {
        let Some(arn) = self.setup.options.notify.as_deref() else {
            return;
        };
        self.title("notification of pending uploads");
        if self.on_aws() {
            self.receiver_policy(arn);
        }
        self.set(
            "notification",
            "bucket-notification-configuration",
            "notification-configuration",
            "notification",
        );
    }

    /// S3 checks that it may send before it takes the setting.
    fn receiver_policy(&mut self, arn: &str) {
        let quoted = quote(arn);
        self.document("notification_policy");
        match service(arn) {
            "sqs" => {
                let queue = quote(arn.rsplit(':').next().unwrap_or_default());
                let _ = writeln!(
                    self.text,
                    "QUEUE=$(aws --region \"$REGION\" sqs get-queue-url --queue-name {queue} --query QueueUrl --output text)\n\
                     keep queue_policy aws --region \"$REGION\" sqs get-queue-attributes --queue-url \"$QUEUE\" --attribute-names Policy\n\
                     printf '{{\"Policy\": \"%s\"}}' \"$(tr -d '\\n' < \"$work/notification_policy.json\" | sed 's/\"/\\\\\"/g')\" > \"$work/queue.json\"\n\
                     aws --region \"$REGION\" sqs set-queue-attributes --queue-url \"$QUEUE\" --attributes \"file://$work/queue.json\""
                );
            }
            "sns" => {
                let _ = writeln!(
                    self.text,
                    "keep topic_policy aws --region \"$REGION\" sns get-topic-attributes --topic-arn {quoted}\n\
                     aws --region \"$REGION\" sns set-topic-attributes --topic-arn {quoted} --attribute-name Policy --attribute-value \"file://$work/notification_policy.json\""
                );
            }
            _ => {
                let _ = writeln!(
                    self.text,
                    "if ! aws --region \"$REGION\" lambda add-permission --function-name {quoted} --statement-id \"lablink-storage-$BUCKET\" \
                     --action lambda:InvokeFunction --principal s3.amazonaws.com --source-arn {} --source-account \"$ACCOUNT\" > /dev/null 2> \"$work/error\"; then\n  \
                       grep -q ResourceConflictException \"$work/error\" || {{ cat \"$work/error\" >&2; exit 1; }}\nfi",
                    quote(&self.setup.bucket_arn())
                );
            }
        }
    }

    fn end(mut self) -> String {
        self.line("\n[ ! -d \"$kept\" ] || say \"what was set before is kept in $kept\"");
        self.line("say 'done; now run: lablink-storage doctor'");
        self.text
    }
}

/// Quotes for a POSIX shell: nothing inside single quotes means anything.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#!/usr/bin/env bash
# Creates and sets up a bucket for lablink-storage. It can be run again at any time: what is missing is
# created, whole documents are set, and what they replace is kept first.
# It needs the AWS CLI version 2 and an administrator's credentials.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# SETTINGS AND DOCUMENTS

# Services without a region of their own still belong to the region's part of AWS.
export AWS_REGION="$REGION" AWS_DEFAULT_REGION="$REGION" AWS_PAGER=""
kept="setup-kept-$BUCKET-$(date -u +%Y%m%dT%H%M%SZ)"

say() { printf '%s\n' "$*"; }

title() { printf '== %s\n' "$*"; }

fail() { say "failed: $*" >&2; exit 1; }

s3() { aws --region "$REGION" ${ENDPOINT:+--endpoint-url "$ENDPOINT"} s3api "$@"; }

on_aws() { [ -z "$ENDPOINT" ]; }

has() { [ -f "$work/$1.json" ]; }

# document NAME: where it is, with what is known only now.
document() {
  sed -i -e "s|ACCOUNT_ID|$ACCOUNT|g" -e "s|DISTRIBUTION_ID|${DISTRIBUTION:-}|g" \
    -e "s|ACCESS_CONTROL_ID|${ACCESS_CONTROL:-}|g" "$work/$1.json"
  printf 'file://%s/%s.json' "$work" "$1"
}

# keep NAME COMMAND...: saves the setting as it is, once, before it is replaced.
keep() {
  local name=$1; shift
  if "$@" --output json > "$work/$name.old" 2> /dev/null && [ -s "$work/$name.old" ]; then
    mkdir -p "$kept" && cp "$work/$name.old" "$kept/$name.json"
  fi
}

# may_be_missing WHAT COMMAND...: on a server other than AWS, names what it refuses and goes on, unless
# it is the rights, the bucket or the server that is missing.
may_be_missing() {
  local what=$1; shift
  if "$@" 2> "$work/error"; then say "ok: $what"; return; fi
  if ! on_aws && ! grep -Eqi 'AccessDenied|NoSuchBucket|Signature|InvalidAccessKeyId|Token|credentials|connect|time' "$work/error"; then
    say "not on this server: $what"
  else
    cat "$work/error" >&2
    fail "$what"
  fi
}

# set_document NAME NOUN OPTION WHAT: keeps the present setting, then sets the document if there is one.
set_document() {
  has "$1" || return 0
  keep "$1" s3 "get-$2" --bucket "$BUCKET"
  may_be_missing "$4" s3 "put-$2" --bucket "$BUCKET" "--$3" "$(document "$1")"
}

account() {
  title account
  [ -n "$ACCOUNT" ] || ACCOUNT=$(aws --region "$REGION" sts get-caller-identity --query Account --output text)
  say "ok: account $ACCOUNT"
}

bucket() {
  title bucket
  if s3 head-bucket --bucket "$BUCKET" > /dev/null 2> "$work/error"; then
    say "ok: $BUCKET is there"
  elif grep -q 403 "$work/error"; then
    fail "$BUCKET is there, but it is not yours: choose another name in AWS_S3_BUCKET"
  else
    s3 create-bucket --cli-input-json "$(document create_bucket)" > /dev/null
    s3 wait bucket-exists --bucket "$BUCKET"
    say "ok: $BUCKET created"
  fi
}

# Ceph 16 refuses every write without an ACL once public ACLs are blocked.
try_to_write() {
  local key="$PENDING/setup-probe"
  printf probe > "$work/probe"
  if ! s3 put-object --bucket "$BUCKET" --key "$key" --body "$work/probe" > /dev/null 2>&1; then
    sed -i 's/"BlockPublicAcls": true/"BlockPublicAcls": false/' "$work/public_access_block.json"
    s3 put-public-access-block --bucket "$BUCKET" --public-access-block-configuration "$(document public_access_block)"
    say 'not on this server: BlockPublicAcls (with it, every write is refused)'
  fi
  s3 delete-object --bucket "$BUCKET" --key "$key" > /dev/null 2>&1 || true
}

settings() {
  title 'settings of the bucket'
  set_document tags bucket-tagging tagging tags
  set_document ownership_controls bucket-ownership-controls ownership-controls 'bucket owner owns every object, no ACLs'
  set_document public_access_block public-access-block public-access-block-configuration 'Block Public Access'
  on_aws || try_to_write
  set_document encryption bucket-encryption server-side-encryption-configuration 'default encryption'
  set_document versioning bucket-versioning versioning-configuration versioning
  set_document lifecycle bucket-lifecycle-configuration lifecycle-configuration 'lifecycle rules'
  set_document accelerate bucket-accelerate-configuration accelerate-configuration 'transfer acceleration'
  if [ -n "$ORIGINS" ]; then
    set_document cors bucket-cors cors-configuration 'CORS rules'
  else
    say 'left out: CORS (no --origin given: pages cannot upload or read pixels directly)'
  fi
}

# Prints nothing where there is none.
id_of() { aws "$@" --output text | sed 's/^None$//'; }

create_distribution() {
  local named="OriginAccessControlList.Items[?Name=='$BUCKET'] | [0].Id"
  ACCESS_CONTROL=$(id_of cloudfront list-origin-access-controls --query "$named")
  [ -n "$ACCESS_CONTROL" ] || ACCESS_CONTROL=$(id_of cloudfront create-origin-access-control \
    --origin-access-control-config "$(document origin_access_control)" --query OriginAccessControl.Id)
  DISTRIBUTION=$(id_of cloudfront create-distribution --distribution-config "$(document distribution)" --query Distribution.Id)
}

distribution() {
  if ! on_aws; then
    say 'left out: CloudFront (it takes a bucket on AWS)'
    return
  fi
  title CloudFront
  local query="DistributionList.Items[?Comment=='$COMMENT'] | [0].Id" given="" domain
  case $CLOUDFRONT_DOMAIN in
    '') ;;
    *.cloudfront.net)
      given=yes query="DistributionList.Items[?DomainName=='$CLOUDFRONT_DOMAIN'] | [0].Id" ;;
    *)
      [ -n "$CERTIFICATE" ] || given=yes
      query="DistributionList.Items[?Aliases.Items && contains(Aliases.Items, '$CLOUDFRONT_DOMAIN')] | [0].Id" ;;
  esac
  DISTRIBUTION=$(id_of cloudfront list-distributions --query "$query")
  if [ -z "$DISTRIBUTION" ]; then
    [ -z "$given" ] || fail "no distribution answers for $CLOUDFRONT_DOMAIN: unset CLOUDFRONT_DOMAIN to create one, or give --certificate for a domain of your own"
    create_distribution
  fi
  domain=$(id_of cloudfront get-distribution --id "$DISTRIBUTION" --query Distribution.DomainName)
  say "ok: distribution $DISTRIBUTION, domain $domain; a new one answers after some minutes"
  [ -n "$CLOUDFRONT_DOMAIN" ] || say "   tell the application: CLOUDFRONT_DOMAIN=$domain"
  [ -n "$DISTRIBUTION_GIVEN" ] || say "   to have deleted images purged: CLOUDFRONT_DISTRIBUTION_ID=$DISTRIBUTION, and setup again for the right to it"
}

policy() {
  title 'bucket policy'
  keep bucket_policy s3 get-bucket-policy --bucket "$BUCKET" --query Policy
  local try
  # Right after Block Public Access is opened, S3 may still refuse a public policy for a moment.
  for try in 1 2 3 4 5 6; do
    if s3 put-bucket-policy --bucket "$BUCKET" --policy "$(document bucket_policy)" 2> "$work/error"; then
      say 'ok: bucket policy'
      return
    fi
    if ! on_aws && grep -Eq 'NotImplemented|MethodNotAllowed' "$work/error"; then
      say 'not on this server: bucket policy (make the images public by its own means)'
      return
    fi
    grep -q AccessDenied "$work/error" || break
    [ "$try" = 6 ] || sleep 5
  done
  cat "$work/error" >&2
  if grep -q AccessDenied "$work/error"; then
    fail 'bucket policy (is Block Public Access on for the whole account?)'
  fi
  fail 'bucket policy'
}

# IAM, the EC2 role and its instance profile: AWS only, other servers manage users in their own way.
rights() {
  title 'rights of the application'
  if ! on_aws; then
    say 'left out: IAM policy, EC2 role and instance profile (they are AWS services; give the application a user of this server)'
    return
  fi
  local policy name="images-in-$BUCKET" roles
  policy=$(document iam_policy)
  aws iam get-role --role-name "$ROLE" > /dev/null 2>&1 ||
    aws iam create-role --role-name "$ROLE" --assume-role-policy-document "$(document trust_policy)" > /dev/null
  aws iam put-role-policy --role-name "$ROLE" --policy-name "$name" --policy-document "$policy"
  aws iam get-instance-profile --instance-profile-name "$ROLE" > /dev/null 2>&1 ||
    aws iam create-instance-profile --instance-profile-name "$ROLE" > /dev/null
  roles=$(aws iam get-instance-profile --instance-profile-name "$ROLE" \
    --query "length(InstanceProfile.Roles[?RoleName=='$ROLE'])" --output text)
  [ "$roles" != 0 ] || aws iam add-role-to-instance-profile --instance-profile-name "$ROLE" --role-name "$ROLE"
  say "ok: role and instance profile $ROLE"
  say "   attach it: aws ec2 associate-iam-instance-profile --instance-id INSTANCE --iam-instance-profile Name=$ROLE"
  [ -n "$IAM_USER" ] || return 0
  aws iam get-user --user-name "$IAM_USER" > /dev/null 2>&1 || aws iam create-user --user-name "$IAM_USER" > /dev/null
  aws iam put-user-policy --user-name "$IAM_USER" --policy-name "$name" --policy-document "$policy"
  say "ok: user $IAM_USER"
  say "   its keys, shown once: aws iam create-access-key --user-name $IAM_USER"
}

replication() {
  title replication
  if ! on_aws; then
    say 'left out: replication (it needs an IAM role)'
    return
  fi
  local replicator="$ROLE-replication"
  aws --region "$REPLICA_REGION" s3api head-bucket --bucket "$REPLICA" > /dev/null 2>&1 ||
    aws --region "$REPLICA_REGION" s3api create-bucket --cli-input-json "$(document create_replica)" > /dev/null
  aws --region "$REPLICA_REGION" s3api put-bucket-versioning --bucket "$REPLICA" --versioning-configuration Status=Enabled
  if ! aws iam get-role --role-name "$replicator" > /dev/null 2>&1; then
    aws iam create-role --role-name "$replicator" --assume-role-policy-document "$(document replication_trust_policy)" > /dev/null
    aws iam wait role-exists --role-name "$replicator"
  fi
  aws iam put-role-policy --role-name "$replicator" --policy-name "replicate-$BUCKET" --policy-document "$(document replication_policy)"
  keep replication s3 get-bucket-replication --bucket "$BUCKET"
  s3 put-bucket-replication --bucket "$BUCKET" --replication-configuration "$(document replication)"
  say 'ok: replication'
}

# S3 checks that it may send before it takes the setting.
let_s3_send() {
  local queue text
  case $NOTIFY in
    arn:*:sqs:*)
      queue=$(id_of --region "$REGION" sqs get-queue-url --queue-name "${NOTIFY##*:}" --query QueueUrl)
      keep queue_policy aws --region "$REGION" sqs get-queue-attributes --queue-url "$queue" --attribute-names Policy
      document notification_policy > /dev/null
      text=$(tr -d '\n' < "$work/notification_policy.json" | sed 's/"/\\"/g')
      printf '{"Policy": "%s"}' "$text" > "$work/queue.json"
      aws --region "$REGION" sqs set-queue-attributes --queue-url "$queue" --attributes "file://$work/queue.json" ;;
    arn:*:sns:*)
      keep topic_policy aws --region "$REGION" sns get-topic-attributes --topic-arn "$NOTIFY"
      aws --region "$REGION" sns set-topic-attributes --topic-arn "$NOTIFY" --attribute-name Policy \
        --attribute-value "$(document notification_policy)" ;;
    *)
      aws --region "$REGION" lambda add-permission --function-name "$NOTIFY" --statement-id "lablink-storage-$BUCKET" \
        --action lambda:InvokeFunction --principal s3.amazonaws.com --source-arn "$BUCKET_ARN" \
        --source-account "$ACCOUNT" > /dev/null 2> "$work/error" ||
        grep -q ResourceConflictException "$work/error" || { cat "$work/error" >&2; exit 1; } ;;
  esac
}

notification() {
  title 'notification of pending uploads'
  ! on_aws || let_s3_send
  set_document notification bucket-notification-configuration notification-configuration notification
}

! on_aws || account
bucket
settings
! has distribution || distribution
policy
rights
[ -z "$REPLICA" ] || replication
[ -z "$NOTIFY" ] || notification

[ ! -d "$kept" ] || say "what was set before is kept in $kept"
say 'done; now run: lablink-storage doctor'

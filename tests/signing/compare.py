"""Signs the same cases with boto3, botocore and cryptography and with the driver, and compares.

usage: compare.py PATH_OF_THE_DRIVER
"""

import base64
import datetime
import itertools
import json
import subprocess
import sys
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

NOW = datetime.datetime(2026, 11, 23, 18, 7, 9, tzinfo=datetime.timezone.utc)
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE+/=" * 20


def client(case):
    s3 = {
        "us_east_1_regional_endpoint": "regional",
        # boto3 takes the global host unless told otherwise; ours is always the regional one.
        "addressing_style": case.get("addressing", "virtual"),
        "use_accelerate_endpoint": case.get("accelerate", False),
        "use_dualstack_endpoint": case.get("dual_stack", False),
    }
    return boto3.client(
        "s3",
        region_name=case["region"],
        endpoint_url=case.get("endpoint"),
        aws_access_key_id=case["access_key_id"],
        aws_secret_access_key=case["secret"],
        aws_session_token=case.get("token"),
        config=Config(signature_version="s3v4", s3=s3, request_checksum_calculation="when_required"),
    )


def at_the_fixed_clock(call):
    naive_or_aware = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW
    with mock.patch("botocore.auth.get_current_datetime", naive_or_aware):
        with mock.patch("botocore.signers.get_current_datetime", naive_or_aware):
            return call()


def base_case(kind, region, token):
    return {
        "kind": kind, "now": int(NOW.timestamp()), "region": region, "bucket": "lab-images",
        "access_key_id": ACCESS_KEY_ID, "secret": SECRET, "token": token,
    }


# --- forms --------------------------------------------------------------------------------------------

FORMS = [
    ("pending/components/6f9619ff.jpg", []),
    ("pending/components/6f9619ff.jpg", [
        ["field", "Content-Type", "image/jpeg"],
        ["field", "Cache-Control", "public, max-age=31536000, immutable"],
        ["range", 1, 10485760],
        ["field", "success_action_status", "201"],
    ]),
    ("components/Müller & Söhne \"Prüfstand\" €.png", [
        ["starting", "Content-Type", "image/png", "image/"],
        ["field", "x-amz-meta-note", "Größe: \\5 µm\" – 中文 \u2028 \u00a0"],
    ]),
    ("components/${filename}", [["field", "acl", "private"], ["field", "x-amz-storage-class", "STANDARD_IA"]]),
]

# Only how the policy is written differs: boto3 writes a pair of surrogates, which Ceph refuses.
EMOJI_FORM = ("components/😀.png", [["field", "x-amz-meta-note", "a 🎉 b"]])


def form_cases():
    for region, token, (key, entries) in itertools.product(
        ["us-east-1", "eu-central-1"], [None, TOKEN], FORMS + [EMOJI_FORM]
    ):
        yield base_case("post", region, token) | {"key": key, "entries": entries, "expires_in": 3600}
    placed = [
        {"bucket": "lab.images", "addressing": "path"},
        {"endpoint": "http://127.0.0.1:7480", "addressing": "path"},
        {"endpoint": "https://minio.example.org:9000", "addressing": "virtual"},
        {"region": "cn-north-1"},
        {"dual_stack": True},
        {"accelerate": True},
    ]
    for place in placed:
        yield base_case("post", "us-east-1", None) | {"key": "a b.png", "entries": [], "expires_in": 604800} | place


def boto3_form(case):
    fields, conditions = {}, []
    for entry in case["entries"]:
        if entry[0] == "range":
            conditions.append(["content-length-range", *entry[1:]])
            continue
        fields[entry[1]] = entry[2]
        if entry[0] == "field":
            conditions.append({entry[1]: entry[2]})
        else:
            conditions.append(["starts-with", "$" + entry[1], entry[3]])
    return at_the_fixed_clock(lambda: client(case).generate_presigned_post(
        case["bucket"], case["key"], Fields=fields, Conditions=conditions, ExpiresIn=case["expires_in"]))


def compare_form(case, ours, theirs):
    expect(ours["url"].rstrip("/"), theirs["url"].rstrip("/"))
    mine, yours = ours["fields"], [list(pair) for pair in theirs["fields"].items()]
    if case["key"] != EMOJI_FORM[0]:
        expect(mine, yours)
        return
    expect([name for name, _ in mine], [name for name, _ in yours])
    expect(policy_of(mine), policy_of(yours))
    expect(mine[:-2], yours[:-2])
    text = base64.b64decode(dict(mine)["policy"]).decode()
    expect("😀" in text and "\\ud" not in text, True)


def policy_of(fields):
    return json.loads(base64.b64decode(dict(fields)["policy"]))


def check_cases():
    """boto3's own forms, surrogate pairs included, before our check of a form."""
    for case in form_cases():
        form = boto3_form(case)
        yield case | {"kind": "check", "fields": list(form["fields"].items()), "size": 10, "file_name": "x/y.png"}


# --- presigned GET and PUT ------------------------------------------------------------------------------

DISPOSITION = "attachment; filename=\"M_ller.png\"; filename*=UTF-8''M%C3%BCller.png"


def presign_cases():
    keys = ["components/a.jpg", "components/Müller & Söhne+100%~_-.é/€ 😀.png"]
    for region, token, key in itertools.product(["us-east-1", "eu-central-1"], [None, TOKEN], keys):
        case = base_case("presign", region, token) | {"key": key, "headers": [], "expires_in": 3600}
        yield case | {"method": "GET"}
        yield case | {"method": "GET", "download_as": "Müller.png", "response_content_type": "image/png"}
        yield case | {"method": "PUT", "headers": [["Content-Type", "image/png"]]}
        yield case | {"method": "PUT", "headers": [
            ["Content-Type", "image/png"], ["Cache-Control", "public, max-age=31536000, immutable"], ["If-None-Match", "*"]]}
    for place in [
        {"bucket": "lab.images", "addressing": "path"},
        {"addressing": "path"},
        {"endpoint": "http://127.0.0.1:7480", "addressing": "path"},
        {"endpoint": "https://minio.example.org", "addressing": "virtual"},
        {"region": "cn-north-1"},
        {"region": "eusc-de-east-1"},
        {"region": "us-gov-west-1"},
        {"region": "us-iso-east-1"},
        {"dual_stack": True},
        {"dual_stack": True, "addressing": "path"},
        {"accelerate": True},
        {"accelerate": True, "dual_stack": True},
    ]:
        case = base_case("presign", "us-east-1", None) | {"key": keys[1], "headers": [], "expires_in": 1}
        yield case | {"method": "GET"} | place


def boto3_presign(case):
    params = {"Bucket": case["bucket"], "Key": case["key"]}
    names = {"Content-Type": "ContentType", "Cache-Control": "CacheControl", "If-None-Match": "IfNoneMatch"}
    for name, value in case["headers"]:
        params[names[name]] = value
    if "download_as" in case:
        params |= {"ResponseContentDisposition": DISPOSITION, "ResponseContentType": case["response_content_type"]}
    operation = {"GET": "get_object", "PUT": "put_object"}[case["method"]]
    return at_the_fixed_clock(
        lambda: client(case).generate_presigned_url(operation, Params=params, ExpiresIn=case["expires_in"]))


def compare_presign(case, ours, theirs):
    mine, yours = urlsplit(ours["url"]), urlsplit(theirs)
    expect(mine[:3], yours[:3])
    expect(sorted(mine.query.split("&")), sorted(yours.query.split("&")))
    signed = dict(parse_qsl(mine.query))["X-Amz-SignedHeaders"].split(";")
    expect(sorted([name for name, _ in ours["headers"]] + ["host"]), signed)


# --- CloudFront -----------------------------------------------------------------------------------------

RESOURCE = "https://d111111abcdef8.cloudfront.net/components/a%20b.jpg"


def pem_forms(key):
    forms = [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    return [key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode() for form in forms]


def cloudfront_cases(key):
    expires = int(NOW.timestamp()) + 10 * 365 * 24 * 3600
    base = {"kind": "cloudfront", "key_pair_id": "K2JCJMDEHXQW5F", "url": RESOURCE, "resource": RESOURCE, "expires_at": expires}
    for pem in pem_forms(key):
        yield base | {"pem": pem}
        yield base | {"pem": pem, "url": RESOURCE + "?size=2", "resource": RESOURCE + "?size=2"}
        wide = base | {"pem": pem, "custom": True, "resource": "https://d111111abcdef8.cloudfront.net/components/*"}
        yield wide
        yield wide | {"starts_at": expires - 60}
        yield wide | {"starts_at": expires - 60, "source_ip": "192.0.2.1"}
        yield wide | {"source_ip": "192.0.2.0/24"}


def botocore_policy(case, signer):
    moment = lambda name: datetime.datetime.fromtimestamp(case[name], datetime.timezone.utc)
    starts = moment("starts_at") if "starts_at" in case else None
    return signer.build_policy(case["resource"], moment("expires_at"), starts, case.get("source_ip"))


def compare_rsa(case, ours, key):
    signer = CloudFrontSigner(case["key_pair_id"], lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
    policy = botocore_policy(case, signer)
    if case.get("custom"):
        theirs = signer.generate_presigned_url(case["url"], policy=policy)
    else:
        moment = datetime.datetime.fromtimestamp(case["expires_at"], datetime.timezone.utc)
        theirs = signer.generate_presigned_url(case["url"], date_less_than=moment)
    expect(ours["url"], theirs + "&Hash-Algorithm=SHA256")
    compare_cookies(case, ours)


def compare_ecdsa(case, ours, key):
    policy = botocore_policy(case, CloudFrontSigner(case["key_pair_id"], None)).encode()
    query = dict(parse_qsl(urlsplit(ours["url"]).query, strict_parsing=True))
    cookies = dict(ours["cookies"])
    for signature in [query["Signature"], cookies["CloudFront-Signature"]]:
        key.public_key().verify(decode(signature), policy, ec.ECDSA(hashes.SHA256()))
    if case.get("custom"):
        expect(decode(query["Policy"]), policy)
        expect(decode(cookies["CloudFront-Policy"]), policy)
    else:
        expect(query["Expires"], str(case["expires_at"]))
        expect(cookies["CloudFront-Expires"], str(case["expires_at"]))
    expect(query["Hash-Algorithm"], "SHA256")


def compare_cookies(case, ours):
    query = urlsplit(ours["url"]).query.split("&")[-4:]
    expect([f"{name}={value}" for name, value in ours["cookies"]], ["CloudFront-" + part for part in query])


def decode(text):
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"))


# --- the comparison -------------------------------------------------------------------------------------


def expect(ours, theirs):
    if ours != theirs:
        raise AssertionError(f"ours:   {ours}\n    theirs: {theirs}")


def main(driver):
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    suites = [
        ("POST fields, byte for byte", list(form_cases()), lambda case, ours: compare_form(case, ours, boto3_form(case))),
        ("boto3's forms before our check", list(check_cases()), lambda case, ours: expect(ours["key"], case["key"].replace("${filename}", "y.png"))),
        ("presigned GET and PUT", list(presign_cases()), lambda case, ours: compare_presign(case, ours, boto3_presign(case))),
        ("CloudFront RSA, byte for byte", list(cloudfront_cases(rsa_key)), lambda case, ours: compare_rsa(case, ours, rsa_key)),
        ("CloudFront ECDSA, verified", list(cloudfront_cases(ec_key)), lambda case, ours: compare_ecdsa(case, ours, ec_key)),
    ]
    cases = [case for _, cases, _ in suites for case in cases]
    answer = subprocess.run([driver], input=json.dumps(cases).encode(), stdout=subprocess.PIPE, check=True)
    results = iter(json.loads(answer.stdout))
    passed = failures = 0
    for name, cases, compare in suites:
        failed = 0
        for case in cases:
            ours = next(results)
            try:
                if "error" in ours:
                    raise AssertionError(ours["error"])
                compare(case, ours)
            except Exception as error:  # every case is judged, and named
                failed += 1
                shown = {name: value for name, value in case.items() if name not in ("pem", "fields", "secret")}
                print(f"  {name}: {shown}\n    {error or type(error).__name__}")
        print(f"{name}: {len(cases) - failed} of {len(cases)} agree")
        passed += len(cases) - failed
        failures += failed
    print(f"{passed} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

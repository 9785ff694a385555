//! Invalidations of a CloudFront distribution: what lies at a path is another thing now, or gone.
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>

use object_store::Error;
use quick_xml::escape::partial_escape;

use super::S3;
use crate::config::Distribution;
use crate::sign::Request;
use crate::url::Partition;

const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

impl S3 {
    /// Has the distribution forget these paths, as its public URLs have them. With the same `reference` it happens
    /// once, however often it is sent.
    pub(in crate::backend) async fn invalidate(
        &self,
        distribution: &Distribution,
        paths: &[String],
        reference: &str,
    ) -> Result<(), Error> {
        let (host, region) = service(self.region());
        let endpoint = match &distribution.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{host}"),
        };
        let id = &distribution.id;
        let body = batch(paths, reference);
        let request = Request {
            service: "cloudfront",
            region,
            method: "POST",
            url: &format!("{endpoint}/2020-05-31/distribution/{id}/invalidation"),
            query: &[],
            body: body.as_bytes(),
        };
        self.transmit(&request).await.map(drop)
    }
}

/// The host of CloudFront's interface, and the region that its requests are signed for.
fn service(region: &str) -> (String, &str) {
    let partition = Partition::of(region);
    let region = match partition.name {
        "aws" => return ("cloudfront.amazonaws.com".to_owned(), "us-east-1"),
        "aws-cn" => "cn-northwest-1",
        _ => region,
    };
    (
        format!("cloudfront.{region}.{}", partition.dns_suffix),
        region,
    )
}

/// The request's body, as botocore writes it.
fn batch(paths: &[String], reference: &str) -> String {
    let items: String = paths
        .iter()
        .map(|path| format!("<Path>{}</Path>", partial_escape(path.as_str())))
        .collect();
    format!(
        "<InvalidationBatch xmlns=\"{NAMESPACE}\"><Paths><Quantity>{}</Quantity><Items>{items}</Items></Paths>\
         <CallerReference>{}</CallerReference></InvalidationBatch>",
        paths.len(),
        partial_escape(reference)
    )
}

//! Signs the requests that it reads with aws-sigv4, with SigV4 or SigV4A; see ../../../../signers/signers_test.go for the
//! form of both.
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{sign, PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings};
use aws_sigv4::sign::{v4, v4a};
use serde_json::{json, Value};
use std::io::Read;
use std::time::{Duration, SystemTime};

/// text is a string of an object.
fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or("")
}

/// sign_one returns a request as it goes to the wire.
fn sign_one(job: &Value, at: SystemTime, case: &Value) -> Result<Value, Box<dyn std::error::Error>> {
    let url = format!("http://{}{}", text(case, "host"), text(case, "target"));
    let (body, payload) = (text(case, "body"), text(case, "payload"));
    let presign = case["presign"].as_bool().unwrap_or(false);
    let headers: Vec<(&str, &str)> = case["headers"].as_array().unwrap().iter().map(|h| (h[0].as_str().unwrap(), h[1].as_str().unwrap())).collect();
    let token = Some(text(case, "token").to_string()).filter(|t| !t.is_empty());
    let identity = Credentials::new(text(job, "key"), text(job, "secret"), token, None, "test").into();
    let mut settings = SigningSettings::default();
    if payload != "plain" && !presign {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if presign {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(300));
    }
    let region_set = text(job, "regionSet");
    let params: SigningParams = if region_set.is_empty() {
        v4::SigningParams::builder().identity(&identity).region(text(job, "region")).name(text(job, "service")).time(at).settings(settings).build()?.into()
    } else {
        v4a::SigningParams::builder().identity(&identity).region_set(region_set).name(text(job, "service")).time(at).settings(settings).build()?.into()
    };
    let signable_body = if payload == "unsigned" && !presign { SignableBody::UnsignedPayload } else { SignableBody::Bytes(body.as_bytes()) };
    let signable = SignableRequest::new(text(case, "method"), url.clone(), headers.iter().copied(), signable_body)?;
    let (instructions, _) = sign(signable, &params)?.into_parts();

    let mut request = http::Request::builder().method(text(case, "method")).uri(url);
    for (name, value) in &headers {
        request = request.header(*name, http::HeaderValue::from_bytes(value.as_bytes())?);
    }
    let mut request = request.body(())?;
    instructions.apply_to_request_http1x(&mut request);
    let mut out = vec![json!(["Host", text(case, "host")])];
    for (name, value) in request.headers() {
        out.push(json!([name.as_str(), std::str::from_utf8(value.as_bytes())?]));
    }
    Ok(json!({"name": text(case, "name"), "path": request.uri().path(), "query": request.uri().query().unwrap_or(""), "headers": out}))
}

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("read");
    let job: Value = serde_json::from_str(&input).expect("JSON");
    let form = time::format_description::parse_borrowed::<2>("[year][month][day]T[hour][minute][second]Z").expect("form");
    let at: SystemTime = time::PrimitiveDateTime::parse(text(&job, "time"), &form).expect("time").assume_utc().into();
    let cases: Vec<Value> = job["cases"].as_array().expect("cases").iter()
        .map(|c| sign_one(&job, at, c).unwrap_or_else(|e| json!({"name": text(c, "name"), "error": e.to_string()}))).collect();
    println!("{}", json!({"generator": "aws-sigv4 1.6.4", "cases": cases}));
}

// Package sigv4 verifies and makes AWS Signature Version 4 signatures, and verifies those of SigV4A.
//
// Parse reads what a request claims about its signature, the caller looks up the secret of that access key,
// and Key.Verify decides. Nothing here knows accounts, stores or policies; the standard library is all that is
// imported.
//
// The path of one request: Parse (no allocation) finds the Authorization header or the X-Amz-* query of a
// presigned URL; Verify checks scope and clock, writes the canonical request into the caller's buffer, hashes
// it and compares the signature in constant time. Signing keys are derived once for each date, region and
// service and kept in the Key.
//
// The signature names the path in a normalized form, as AWS has it: without doubled slashes and dot segments. So a
// signature also holds for another spelling of its path, and whoever authorizes by the path must do so by the
// bytes that it forwards. Signers differ in corners (type form); every form that is accepted says the same request.
//
// The rules are those of "Create a signed AWS API request" in the IAM user guide; the sentences of errors are
// AWS's own where they are known.
package sigv4

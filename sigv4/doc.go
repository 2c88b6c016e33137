// Package sigv4 verifies and makes AWS Signature Version 4 signatures, and verifies those of SigV4A and those that are
// made with the key of an X.509 certificate (ParseX509), as IAM Roles Anywhere takes them.
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
// A signature holds for one spelling of the path, the one on the wire: whoever routes and authorizes by these bytes
// does so by what was signed. AWS also takes signatures over a path without its doubled slashes and dot segments;
// docs/decisions/0010-one-form-of-the-path.md says why this package does not. Of query and header values, signers differ
// in corners (type form); every form that is accepted says the same parameters and values. Package signers_test runs
// the signers of AWS's SDKs, and docs/signing.md says which are accepted.
//
// The rules are those of "Create a signed AWS API request" in the IAM user guide; the sentences of errors are
// AWS's own where they are known.
package sigv4

package dataplane

import (
	"errors"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/sigv4"
)

// signingName is the service that callers sign for (VPC Lattice user guide, sigv4-authenticated-requests).
const signingName = "vpc-lattice-svcs"

// denial is why a request goes no further: what to answer and what to log.
type denial struct {
	status int
	body   string // the whole text; empty for the usual one of the status
	reason string // failureReason
	layer  string // authDeniedReason
	close  bool   // the rest of the connection cannot be trusted or is not worth reading
}

// authenticate finds out who calls. A request that is signed is verified, whatever the auth types are; one that
// is not is anonymous (VPC Lattice user guide, sigv4-authenticated-requests), unless the network vouches for its sender.
func (x *exchange) authenticate() *denial {
	x.sig = sigv4.Request{Method: x.req.Method, Path: x.req.Path, RawQuery: x.req.RawQuery, Headers: x.req.Fields, Host: x.req.Host}
	a, signed, err := sigv4.Parse(&x.sig)
	if !signed {
		x.rec.ResolvedUser = "Anonymous"
		if c := x.certificateCaller(); c != nil {
			x.setCaller(c, sourceCertificate)
			return nil
		}
		x.vouch()
		return nil
	}
	x.rec.ResolvedUser = "Unknown"
	if err != nil {
		return x.refusedSignature(&a, err)
	}
	caller, key, err := x.l.s.Callers(a.AccessKeyID, a.SessionToken)
	if err != nil {
		return x.refusedSignature(&a, err)
	}
	check := sigv4.Check{Region: x.l.s.Region, Service: signingName, Now: x.l.s.Now(), DoubleEncode: true}
	if a.PayloadHash != sigv4.UnsignedPayload {
		if denied := x.payload(&a, key, &check); denied != nil {
			return denied
		}
	} else if x.l.s.Strict && !a.PayloadHashSigned {
		return x.refusedSignature(&a, errMissingHash)
	}
	if err := key.Verify(&x.sig, &a, check, &x.scratch); err != nil {
		return x.refusedSignature(&a, err)
	}
	x.setCaller(caller, sourceSignature)
	return nil
}

// AWS's sentences about payload hashes, as real VPC Lattice answers them.
var (
	errMissingHash   = &sigv4.Error{Code: sigv4.CodeIncomplete, Message: "Missing the 'x-amz-content-sha256' in canonical headers."}
	errSignedPayload = &sigv4.Error{Code: sigv4.CodeInvalid, Message: "Signed payloads are not supported"}
)

// payload prepares the check of a request whose payload is signed: the body is read and held until it is
// verified. AWS refuses such requests, and so does strict mode.
func (x *exchange) payload(a *sigv4.Authorization, key *sigv4.Key, check *sigv4.Check) *denial {
	if x.l.s.Strict {
		if a.PayloadHash == "" {
			return x.refusedSignature(a, errMissingHash)
		}
		return x.refusedSignature(a, errSignedPayload)
	}
	if x.c.bodyDone() {
		check.PayloadHash = sigv4.EmptyPayloadHash
		return nil
	}
	if a.PayloadHash != "" {
		// The signature names the hash: nobody's megabyte is read before it has been verified.
		if err := key.Verify(&x.sig, a, *check, &x.scratch); err != nil {
			return x.refusedSignature(a, err)
		}
	}
	hash, denied := x.c.hold()
	check.PayloadHash = hash
	return denied
}

// keep holds the part of a body that has come so far.
func (x *exchange) keep(body []byte) {
	x.w.heldBytes += int64(cap(body) - cap(x.signed))
	x.signed = body
}

// refusedSignature is the answer to a signature, or to credentials, that are no good. Of what a bears some may be missing.
func (x *exchange) refusedSignature(a *sigv4.Authorization, err error) *denial {
	d := &denial{status: 403, reason: failClientAccessDenied}
	var bad *sigv4.Error
	var known *trellis.Error
	switch {
	case errors.As(err, &bad):
		d.body = bad.Error()
	case errors.As(err, &known):
		d.body = known.Error()
	default:
		// Why is not the caller's business; that it cannot be told who they are is enough to refuse.
		d.status, d.reason = 500, failInternal
		return d
	}
	x.unsigned(a, d.body)
	return d
}

// statusOf is the status of a codec's error.
func statusOf(err error) int {
	var bad *http1.Error
	if errors.As(err, &bad) {
		return bad.Status
	}
	return 400
}

// setCaller notes who calls, and how that is known.
func (x *exchange) setCaller(c *authpolicy.Caller, source string) {
	x.caller, x.rec.PrincipalSource = c, source
	p := &c.Principal
	x.rec.ResolvedUser, x.rec.CallerPrincipal, x.rec.CallerPrincipalOrgID = p.ARN, p.ARN, p.OrgID
	if len(p.Tags) > 0 {
		x.rec.CallerPrincipalTags = tagsJSON(p.Tags)
	}
	if c := p.X509; c != nil {
		x.rec.CallerX509IssuerOU, x.rec.CallerX509SubjectCN, x.rec.CallerX509SANNameCN = c.IssuerOU, c.SubjectCN, c.SANNameCN
		x.rec.CallerX509SANDNS, x.rec.CallerX509SANURI = c.SANDNS, c.SANURI
	}
}

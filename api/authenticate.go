package api

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// globalServices are those whose scope may name any region: AWS's clients sign them for us-east-1.
var globalServices = []string{"iam", "organizations", "route53", "sts"}

// serviceOf tells which service a request is for: by the credential scope, or else by X-Amz-Target, by Action
// and Version, or by the path, so that an unsigned request gets its error in the right form. nil when unknown.
func (s *Server) serviceOf(r *wire.Request, a *sigv4.Authorization, signed bool) *served {
	if signed {
		return spoken(s.bySigner[a.Service], r)
	}
	if wire.IsCBOR(r.Header) {
		for _, v := range s.services {
			if v.Model.Protocol == wire.CBOR && strings.HasPrefix(r.Path, "/service/"+v.Model.TargetPrefix+"/") {
				return v
			}
		}
	}
	if target := r.Header["X-Amz-Target"]; len(target) > 0 {
		prefix, _, _ := strings.Cut(target[0], ".")
		for _, v := range s.services {
			if v.Model.Protocol == wire.JSON && v.Model.TargetPrefix == prefix {
				return v
			}
		}
	}
	if secondVersion(r) {
		for _, v := range s.services {
			if v.objects() {
				return v
			}
		}
	}
	form := r.RawQuery
	if len(r.Body) > 0 {
		form = string(r.Body)
	}
	if q, err := url.ParseQuery(form); err == nil && q.Has("Action") {
		for _, v := range s.services {
			if _, known := v.rows[q.Get("Action")]; known && (v.Model.Protocol == wire.Query || v.Model.Protocol == wire.EC2) &&
				(q.Get("Version") == "" || q.Get("Version") == v.Model.Version) {
				return v
			}
		}
	}
	for _, v := range s.services {
		if (v.Model.Protocol == wire.RESTJSON || v.Model.Protocol == wire.RESTXML) && !v.objects() {
			if _, err := v.codec.Read(&wire.Request{Method: r.Method, Path: r.Path}); err == nil {
				return v
			}
		}
	}
	return nil
}

// secondVersion tells whether a URL is presigned by version 2 of signatures, as boto3 does for S3 unless it is told
// otherwise. S3 takes it for no bucket that was made after June 2020.
func secondVersion(r *wire.Request) bool {
	q, err := url.ParseQuery(r.RawQuery)
	return err == nil && q.Has("AWSAccessKeyId") && q.Has("Signature")
}

// spoken is the one of a service's protocols that a request is of; nil when there is no service. Without a sign of
// another it is a query.
func spoken(protocols []*served, r *wire.Request) *served {
	if len(protocols) == 0 {
		return nil
	}
	protocol := wire.Query
	switch {
	case wire.IsCBOR(r.Header):
		protocol = wire.CBOR
	case len(r.Header["X-Amz-Target"]) > 0:
		protocol = wire.JSON
	}
	if i := slices.IndexFunc(protocols, func(v *served) bool { return v.Model.Protocol == protocol }); i >= 0 {
		return protocols[i]
	}
	return protocols[0]
}

// authenticate verifies the request's signature and notes who called. Errors have the codes of the JSON
// protocols; translate gives them the service's own.
func (x *exchange) authenticate(a *sigv4.Authorization, signed bool, parse error) error {
	if x.open() {
		x.call.Caller = x.with(&authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalAnonymous}})
		return nil
	}
	if !signed && secondVersion(&x.request) {
		return trellis.NewError(400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	if !signed {
		return trellis.NewError(403, codeMissingToken, "Missing Authentication Token")
	}
	if parse != nil {
		return signatureError(parse)
	}
	objects := x.service != nil && x.service.objects()
	if a.PayloadHash == sigv4.UnsignedPayload && !a.Presigned && !objects && len(x.request.Body) > 0 {
		return trellis.NewError(403, codeInvalidSignature, "The body of a request must be signed.")
	}
	check := sigv4.Check{Region: x.server.options.Region, Service: a.Service, Now: x.server.options.Now(),
		DoubleEncode: true, PayloadHash: sigv4.HashPayload(x.request.Body)}
	if x.certificate != nil {
		return x.certify(check)
	}
	caller, key, err := x.server.options.Callers(a.AccessKeyID, a.SessionToken)
	if err != nil {
		return err
	}
	if slices.Contains(globalServices, a.Service) {
		check.Region = a.Region
	}
	if objects {
		if a.Region != check.Region {
			return wrongRegion(a.Region, check.Region)
		}
		x.checkObjects(a, &check)
	}
	x.key = key
	var scratch []byte
	if err := key.Verify(&x.signed, a, check, &scratch); err != nil {
		return signatureError(err)
	}
	if p := &caller.Principal; a.Service == "iam" && p.Type != trellis.PrincipalAssumedRole && !p.TokenIssuedAt.IsZero() {
		// Sessions of users and federated users can't call IAM (STS API reference, GetSessionToken and GetFederationToken).
		return trellis.NewError(403, codeUnrecognized, "The security token included in the request is invalid")
	}
	x.call.Caller, x.call.Account, x.call.Region = x.with(caller), caller.Principal.Account, a.Region
	x.audited.accessKeyID = a.AccessKeyID
	return nil
}

// with is a caller with what is known of this request alone as conditions. Callers are shared, so it is a copy.
func (x *exchange) with(c *authpolicy.Caller) *authpolicy.Caller {
	own := *c
	own.Control = x.server.options.ResourceControl
	own.Context = map[string][]string{"aws:sourceip": {x.call.SourceIP}, "aws:requestedregion": {x.server.options.Region}}
	if x.call.UserAgent != "" {
		own.Context["aws:useragent"] = []string{x.call.UserAgent}
	}
	maps.Copy(own.Context, c.Context) // of the session
	return &own
}

// open tells whether a request is of an operation that takes unsigned ones.
func (x *exchange) open() bool {
	if x.service == nil || !x.service.open {
		return false
	}
	message, err := x.message()
	return err == nil && x.service.rows[message.Operation.Name].unsigned
}

// signatureError makes a client's error of what package sigv4 says.
func signatureError(err error) error {
	var e *sigv4.Error
	if errors.As(err, &e) {
		return trellis.NewError(403, e.Code, "%s", e.Message)
	}
	return err
}

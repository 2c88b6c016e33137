package api

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/sigv4"
)

// globalServices are those whose scope may name any region: AWS's clients sign them for us-east-1.
var globalServices = []string{"iam", "organizations", "sts"}

// serviceOf tells which service a request is for: by the credential scope, or else by X-Amz-Target, by Action
// and Version, or by the path, so that an unsigned request gets its error in the right form. nil when unknown.
func (s *Server) serviceOf(r *wire.Request, a *sigv4.Authorization, signed bool) *served {
	if signed {
		return s.bySigner[a.Service]
	}
	if target := r.Header["X-Amz-Target"]; len(target) > 0 {
		prefix, _, _ := strings.Cut(target[0], ".")
		for _, v := range s.services {
			if v.Model.TargetPrefix == prefix {
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
		if v.Model.Protocol == wire.RESTJSON {
			if _, err := v.codec.Read(&wire.Request{Method: r.Method, Path: r.Path}); err == nil {
				return v
			}
		}
	}
	return nil
}

// authenticate verifies the request's signature and notes who called. Errors have the codes of the JSON
// protocols; translate gives them the service's own.
func (x *exchange) authenticate(a *sigv4.Authorization, signed bool, parse error) error {
	if !signed {
		return trellis.NewError(403, codeMissingToken, "Missing Authentication Token")
	}
	if parse != nil {
		return signatureError(parse)
	}
	caller, key, err := x.server.options.Callers(a.AccessKeyID, a.SessionToken)
	if err != nil {
		return err
	}
	check := sigv4.Check{Region: x.server.options.Region, Service: a.Service, Now: x.server.options.Now(),
		DoubleEncode: true, PayloadHash: sigv4.HashPayload(x.request.Body)}
	if slices.Contains(globalServices, a.Service) {
		check.Region = a.Region
	}
	if a.PayloadHash == sigv4.UnsignedPayload && !a.Presigned && len(x.request.Body) > 0 {
		return trellis.NewError(403, codeInvalidSignature, "The body of a request must be signed.")
	}
	var scratch []byte
	if err := key.Verify(&x.signed, a, check, &scratch); err != nil {
		return signatureError(err)
	}
	// What is known of this request alone joins the caller's conditions; the caller is shared, so it is copied.
	own := *caller
	own.Context = map[string][]string{"aws:sourceip": {x.call.SourceIP}, "aws:requestedregion": {x.server.options.Region}}
	x.call.Caller, x.call.Account, x.call.Region = &own, caller.Principal.Account, a.Region
	return nil
}

// signatureError makes a client's error of what package sigv4 says.
func signatureError(err error) error {
	var e *sigv4.Error
	if errors.As(err, &e) {
		return trellis.NewError(403, e.Code, "%s", e.Message)
	}
	return err
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// The guide's policies (step 6, and its organization as a condition on the network), and what the caller's own account allows.
const (
	servicePolicy = `{"Version":"2012-10-17","Statement":[
		{"Sid":"AllowCheckoutToReadOrders","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/checkout-service"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*",
		 "Condition":{"StringEquals":{"vpc-lattice-svcs:RequestMethod":"GET"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/checkout-service"}}},
		{"Sid":"DenyAnonymous","Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
		 "Condition":{"BoolIfExists":{"aws:PrincipalIsAWSService":"false"},"Null":{"aws:PrincipalArn":"true"}}}]}`
	networkPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
		"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc1234567"}}}]}`
	callerPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`
)

// decided is a request that the guide's policies allow, and those of the network and the service.
func decided() (r *authpolicy.Request, network, service authpolicy.Layer, err error) {
	compile := func(text string, kind authpolicy.PolicyKind) *authpolicy.Policy {
		p, failed := authpolicy.Parse(text, kind)
		if failed != nil {
			err = fmt.Errorf("policy of the guide: %w", failed)
		}
		return p
	}
	r = &authpolicy.Request{Action: authpolicy.ActionInvoke, Method: http.MethodGet, Path: rulePath, Port: 80, Now: time.Now(),
		Resource: "arn:aws:vpc-lattice:" + region + ":111122223333:service/svc-0cccccccccccccccc" + rulePath,
		Caller: &authpolicy.Caller{Identity: authpolicy.Policies{{Name: "invoke", Policy: compile(callerPolicy, authpolicy.Identity)}},
			Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: "444455556666", OrgID: "o-abc1234567", TokenIssuedAt: time.Now(),
				ARN: "arn:aws:sts::444455556666:assumed-role/checkout-service/pod", PolicyARN: "arn:aws:iam::444455556666:role/checkout-service"}}}
	network = authpolicy.Layer{Enforced: true, Policy: compile(networkPolicy, authpolicy.Resource)}
	service = authpolicy.Layer{Enforced: true, Policy: compile(servicePolicy, authpolicy.Resource)}
	return r, network, service, err
}

// longPolicy has a thousand statements, of which the last allows.
func longPolicy() string {
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := range 999 {
		fmt.Fprintf(&b, `{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*/%d"},`, i)
	}
	b.WriteString(`{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`)
	return b.String()
}

// measureDecisions is row p: what a request costs by its signature and its policies, apart from all else. A contestant's
// program is not started: the functions are called here.
func measureDecisions(_ context.Context, _ *bench, _ *contestant) (metrics, error) {
	r, network, service, err := decided()
	if err != nil {
		return nil, err
	}
	long, err := authpolicy.Parse(longPolicy(), authpolicy.Resource)
	if err != nil {
		return nil, fmt.Errorf("policy of a thousand statements: %w", err)
	}
	now := time.Now()
	signed := sigv4.Request{Method: http.MethodGet, Path: rulePath, Headers: []sigv4.Field{{Name: "Host", Value: serviceHost}, {Name: "User-Agent", Value: "bench/1"}, {Name: "Accept", Value: "*/*"}}}
	signed.Headers = append(signed.Headers, sigv4.Sign(&signed, keyID, secret, strings.Repeat("IQoJb3JpZ2luX2VjE", 40), region, "vpc-lattice-svcs", sigv4.UnsignedPayload, now)...)
	key, buf := sigv4.NewKey(secret), []byte(nil)
	check := sigv4.Check{Region: region, Service: "vpc-lattice-svcs", Now: now, DoubleEncode: true}
	m := metrics{}
	for _, f := range []struct {
		name string
		call func() error
	}{
		{"verify", func() error {
			a, _, err := sigv4.Parse(&signed)
			if err == nil {
				err = key.Verify(&signed, &a, check, &buf)
			}
			return err
		}},
		{"two", func() error {
			for _, l := range []authpolicy.Layer{network, service} {
				if e, _ := l.Policy.Decide(r); e != authpolicy.Allow {
					return fmt.Errorf("a policy of the guide: %s", e)
				}
			}
			return nil
		}},
		{"decide", func() error {
			if d := authpolicy.Invoke(r, network, service); !d.Allowed {
				return fmt.Errorf("denied: %s", d.Message(r))
			}
			return nil
		}},
		{"long", func() error {
			if e, _ := long.Decide(r); e != authpolicy.Allow {
				return fmt.Errorf("a thousand statements: %s", e)
			}
			return nil
		}},
	} {
		if err := f.call(); err != nil {
			return nil, err
		}
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = f.call() // it has just succeeded
			}
		})
		m[f.name+"_ns"], m[f.name+"_allocs"] = float64(result.T.Nanoseconds())/float64(result.N), float64(result.AllocsPerOp())
	}
	m["decisions"] = 1e9 / m["decide_ns"]
	return m, nil
}

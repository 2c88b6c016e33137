package dataplane

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// other is an account that has nothing to do with the test's nouns, and networkOwner one that owns its service network.
const other, networkOwner = "999988887777", "777766665555"

// idOf is the id of the request that an answer belongs to.
func idOf(t *testing.T, answer []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(answer), "x-amzn-requestid: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	if !ok || id == "" {
		t.Fatalf("no x-amzn-requestid in %q", answer)
	}
	return id
}

// onlyCheckout allows one role, and denies a path.
const onlyCheckout = `{"Version":"2012-10-17","Statement":[
 {"Sid":"OnlyCheckout","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/checkout"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*"},
 {"Sid":"NoAdmin","Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*/admin*"}]}`

// TestExplain asks about requests that were allowed and denied, as their service's owner and as somebody else.
func TestExplain(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.enforce(netID, allowAll)
	w.enforce(svcID, onlyCheckout)
	w.serve(Options{Decisions: 64})
	now := time.Now()
	for i, c := range []struct {
		name      string
		in        []byte
		principal string
		source    string
		reason    string
		detail    string // of the record: it begins so
	}{
		{"allowed", request("GET", "/a", sigv4.UnsignedPayload, "", now), callerARN, "Signature", "", ""},
		{"anonymous", request("GET", "/a", "-", "", now), "Anonymous", "", "Service", "denied by service-based [no statement allows the request: statement 0 (OnlyCheckout) at 2:2: its Principal "},
		{"an explicit deny", request("GET", "/admin", sigv4.UnsignedPayload, "", now), callerARN, "Signature", "Service", "denied by service-based [statement 1 (NoAdmin) at 3:2 denies]; allowed by network-based [statement 0 at 1:38 allows], identity-based ["},
		{"too old", request("GET", "/a", sigv4.UnsignedPayload, "", now.Add(-time.Hour)), "Unknown", "", "", "signature: InvalidSignatureException: Signature expired"},
	} {
		id := idOf(t, w.exchangeBytes(c.in))
		r := w.record(i)
		if r.PrincipalSource != c.source || !strings.HasPrefix(r.AuthDeniedDetail, c.detail) || c.detail == "" && r.AuthDeniedDetail != "" || r.NetworkDetail != "" {
			t.Errorf("%s: the record has %q and %q, %q for the network", c.name, r.PrincipalSource, r.AuthDeniedDetail, r.NetworkDetail)
		}
		got := w.server.Explain(id, account)
		if len(got) != 1 {
			t.Fatalf("%s: %d explanations", c.name, len(got))
		}
		e := got[0]
		if e.RequestID != id || e.Allowed != (c.detail == "") || e.Principal != c.principal || e.PrincipalSource != c.source || e.AuthDeniedReason != c.reason ||
			e.ServiceARN != svcARN || e.SourceVPCID != vpcID || e.Action != "vpc-lattice-svcs:Invoke" || !e.Allowed && e.Resource == "" {
			t.Errorf("%s: %+v", c.name, e)
		}
		for _, l := range e.Layers {
			if e.Allowed && (l.Effect != "allow" || l.Statement == nil || l.Statement.Line == 0) {
				t.Errorf("%s: %+v", c.name, l)
			}
		}
		if (c.reason != "" || e.Allowed) && len(e.Layers) != 3 {
			t.Errorf("%s: %+v", c.name, e.Layers)
		}
		if w.server.Explain(id, other) != nil || w.server.Explain(id, "") != nil {
			t.Errorf("%s: others are told too", c.name)
		}
	}
	if got := w.server.Explain("no such request", account); got != nil {
		t.Errorf("a request that never was: %+v", got)
	}
}

// TestExplainAcrossAccounts denies by the policy of one account what reaches a service of another: each sees why only of its
// own policies.
func TestExplainAcrossAccounts(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	network := trellis.Ref{Account: networkOwner, ID: netID}
	w.st.Delete(trellis.KindServiceNetwork, account+"/"+netID)
	w.st.Put(&trellis.ServiceNetwork{Meta: trellis.Meta{Account: networkOwner, ID: netID}, Name: "shop", AuthType: trellis.AuthIAM})
	w.st.Put(&trellis.VPCAssociation{Meta: meta("snva-0fffffffffffffff0"), VPC: trellis.Ref{Account: account, ID: vpcID}, ServiceNetwork: network, Status: trellis.StatusActive, Slot: slot})
	w.st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0fffffffffffffff0"), Service: trellis.Ref{Account: account, ID: svcID}, ServiceNetwork: network, Status: trellis.StatusActive})
	w.st.Put(&trellis.AuthPolicy{Resource: network, Text: strings.ReplaceAll(onlyCheckout, "NoAdmin", "NetworkSecret")})
	w.enforce(svcID, strings.ReplaceAll(onlyCheckout, "NoAdmin", "ServiceSecret"))
	control, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Sid":"ControlSecret","Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}}`, authpolicy.ResourceControl)
	if err != nil {
		t.Fatal(err)
	}
	w.serve(Options{Decisions: 64, ResourceControl: func(of string) []authpolicy.Policies {
		if of != account {
			return nil
		}
		return []authpolicy.Policies{{{Name: "control", Policy: control}}}
	}})
	id := idOf(t, w.exchangeBytes(request("GET", "/admin", "-", "", time.Now())))
	r := w.record(0)
	if !strings.Contains(r.AuthDeniedDetail, "ControlSecret") || strings.Contains(r.NetworkDetail, "ControlSecret") {
		t.Errorf("of the service's resource control policy, its owner is told %s, and the network's %s", r.AuthDeniedDetail, r.NetworkDetail)
	}
	for _, c := range []struct{ account, detail, own, others string }{
		{account, r.AuthDeniedDetail, "ServiceSecret", "NetworkSecret"},
		{networkOwner, r.NetworkDetail, "NetworkSecret", "ServiceSecret"},
	} {
		got := w.server.Explain(id, c.account)
		b, err := json.Marshal(got)
		if err != nil || len(got) != 1 {
			t.Fatal(err, got)
		}
		for _, text := range []string{string(b), c.detail} {
			if !strings.Contains(text, c.own) || strings.Contains(text, c.others) || !strings.Contains(text, "network-based") || !strings.Contains(text, "service-based") {
				t.Errorf("as %s: %s", c.account, text)
			}
		}
	}
}

// TestExplainKeepsSecrets refuses requests with credentials in all places and looks for these in what is kept and logged.
func TestExplainKeepsSecrets(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.enforce(svcID, onlyCheckout)
	w.serve(Options{Decisions: 64})
	signature := strings.Repeat("0123456789abcdef", 4)
	for i, c := range []struct{ name, in, want string }{
		{"signed fields", "GET /a HTTP/1.1\r\nHost: " + host + "\r\nX-Amz-Date: " + time.Now().UTC().Format("20060102T150405Z") + "\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nCookie: SECRET-1\r\n" +
			"Authorization: AWS4-HMAC-SHA256 Credential=" + keyID + "/" + time.Now().UTC().Format("20060102") + "/eu-west-1/vpc-lattice-svcs/aws4_request, SignedHeaders=cookie;host;x-amz-content-sha256;x-amz-date, Signature=" + signature + "\r\n\r\n",
			"cookie:[redacted]\n"},
		{"a session token", "GET /a HTTP/1.1\r\nHost: " + host + "\r\nX-Amz-Date: 20200101T000000Z\r\nX-Amz-Security-Token: SECRET-2\r\n" +
			"Authorization: AWS4-HMAC-SHA256 Credential=" + keyID + "/20200101/eu-west-1/vpc-lattice-svcs/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=" + signature + "\r\n\r\n",
			"x-amz-security-token:[redacted]\n"},
		{"a presigned URL", "GET /a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + keyID + "%2F20200101%2Feu-west-1%2Fvpc-lattice-svcs%2Faws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host" +
			"&X-Amz-Security-Token=SECRET-3&X-Amz-Signature=" + signature + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
			"X-Amz-Security-Token=%5Bredacted%5D"},
		{"no name", "GET /a HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: AWS4-HMAC-SHA256 " + signature + "\r\n\r\n", "'[redacted]' not a valid key=value pair"},
	} {
		id := idOf(t, w.exchangeBytes([]byte(c.in)))
		got := w.server.Explain(id, account)
		if len(got) != 1 || got[0].Signature == nil {
			t.Fatalf("%s: %+v", c.name, got)
		}
		s := got[0].Signature
		b, _ := json.Marshal(got)
		r := w.record(i)
		all := string(b) + r.AuthDeniedDetail + s.CanonicalRequest + s.Message
		for _, bad := range []string{"SECRET", signature} {
			if strings.Contains(all, bad) {
				t.Errorf("%s: %q is in %s", c.name, bad, all)
			}
		}
		if !strings.Contains(all, c.want) {
			t.Errorf("%s: %q is not in %s", c.name, c.want, all)
		}
	}
}

// TestExplainConditions names the conditions that did not hold with what the request had, but for credentials.
func TestExplainConditions(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.enforce(svcID, `{"Version":"2012-10-17","Statement":[{"Sid":"Team","Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{
 "StringEquals":{"vpc-lattice-svcs:RequestHeader/x-team":"a","vpc-lattice-svcs:RequestHeader/cookie":"b"},
 "StringLike":{"aws:PrincipalOrgID":"o-*"}}}]}`)
	w.serve(Options{Decisions: 16})
	id := idOf(t, w.exchangeBytes([]byte("GET /a HTTP/1.1\r\nHost: "+host+"\r\nX-Team: z\r\nCookie: SECRET\r\n\r\n")))
	detail := w.record(0).AuthDeniedDetail
	for _, want := range []string{"statement 0 (Team) at 1:38", `RequestHeader/x-team at 2:18 wants "a", and it is "z"`, "RequestHeader/cookie", "(hidden)", "aws:PrincipalOrgID at 3:16", "it is absent"} {
		if !strings.Contains(detail, want) || strings.Contains(detail, "SECRET") {
			t.Errorf("%q is not in %s", want, detail)
		}
	}
	e := w.server.Explain(id, account)[0]
	service := e.Layers[slices.IndexFunc(e.Layers, func(l trellis.ExplainedLayer) bool { return l.Layer == "service-based" })]
	if len(service.Misses) != 3 || service.Misses[0].Key == "" || service.Misses[0].Statement.Sid != "Team" || service.Effect != "implicit deny" {
		t.Errorf("%+v", service)
	}
}

// TestReasonsAreBounded explains a denial by a caller with as many policies as there may be.
func TestReasonsAreBounded(t *testing.T) {
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"vpc-lattice-svcs:RequestHeader/x":"`+strings.Repeat("y", 500)+`"}}}]}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	r := &authpolicy.Request{Action: authpolicy.ActionInvoke, Resource: svcARN + "/", Headers: []authpolicy.Field{{Name: "x", Value: strings.Repeat("z", 10_000)}},
		Caller: &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: "arn:aws:iam::444455556666:user/u"}}}
	for range 100 {
		r.Caller.Identity = append(r.Caller.Identity, authpolicy.Named{Name: "p", Policy: p})
	}
	reasons := bounded(authpolicy.Explain(r, authpolicy.Layer{}, authpolicy.Layer{}))
	size := 0
	for _, r := range reasons {
		size += len(r.Text)
		for _, m := range r.Misses {
			size += len(m.Text) + len(m.Wanted) + len(strings.Join(m.Seen, ""))
		}
	}
	if len(reasons) != 102 || size > maxReasons+len(reasons)*maxReason || reasons[2].Misses == nil || reasons[101].Misses != nil {
		t.Errorf("%d reasons of %d bytes", len(reasons), size)
	}
}

// TestExplainNobodyAuthorizes says so of a request that no policy was asked about.
func TestExplainNobodyAuthorizes(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.serve(Options{Decisions: 64})
	got := w.server.Explain(idOf(t, w.exchangeBytes(request("GET", "/a", "-", "", time.Now()))), account)
	if len(got) != 1 || !got[0].Allowed || !strings.Contains(got[0].Note, "NONE") {
		t.Errorf("%+v", got)
	}
}

// TestDecisionsAreBounded sends more requests than are kept: the oldest is forgotten, and allowed ones push no denial out.
func TestDecisionsAreBounded(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.enforce(svcID, onlyCheckout)
	w.serve(Options{Decisions: 4 * deniedShare, Workers: 1})
	c := w.dial()
	defer c.Close()
	send := func(id, path, hash string) {
		in := string(request("GET", path, hash, "", time.Now()))
		io.WriteString(c, strings.Replace(in, "Host:", "x-amzn-requestid: "+id+"\r\nHost:", 1))
		if n, err := c.Read(make([]byte, 4096)); err != nil || n == 0 {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		send(fmt.Sprint("denied-", i), "/a", "-")
	}
	for i := range 5 * deniedShare {
		send(fmt.Sprint("allowed-", i), "/a", sigv4.UnsignedPayload)
	}
	for id, want := range map[string]int{"denied-1": 0, "denied-2": 1, "denied-5": 1, "allowed-3": 0, "allowed-4": 1, "allowed-19": 1} {
		if got := len(w.server.Explain(id, account)); got != want {
			t.Errorf("%s: %d explanations, want %d", id, got, want)
		}
	}
	send("denied-5", "/b", "-")
	if got := w.server.Explain("denied-5", account); len(got) != 2 || !strings.HasSuffix(got[0].Resource, "/b") {
		t.Errorf("two requests of one id: %+v", got)
	}
}

// TestDenialsAreExplainedAtARate asks one loop more often than it explains.
func TestDenialsAreExplainedAtARate(t *testing.T) {
	w := newWorld(t, okTarget(t, "a").addr())
	w.serve(Options{Workers: 1})
	got := 0
	<-w.server.running
	loop := w.server.workers[0]
	loop.do(func() {
		for range 2 * explainedEach { // the loop's clock stands still meanwhile
			if loop.mayExplain() {
				got++
			}
		}
	})
	if got != explainedEach {
		t.Errorf("%d explained at once", got)
	}
}

// BenchmarkDenied is a request that is denied, explained and not.
func BenchmarkDenied(b *testing.B) {
	w := newWorld(b, okTarget(b, "a").addr())
	w.enforce(svcID, onlyCheckout)
	w.serve(Options{Decisions: 1024, Workers: 1})
	w.server.Log = func(int, *accesslog.Record) {}
	c := w.dial()
	defer c.Close()
	in, buf := request("GET", "/a", "-", "", time.Now()), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(in)
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

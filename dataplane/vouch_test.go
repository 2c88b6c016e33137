package dataplane

import (
	"bufio"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// vouchedARN is whom the network of these tests vouches for.
const vouchedARN = "arn:aws:sts::444455556666:assumed-role/batch/i-0123456789abcdef0"

// onlyBatch allows one role.
const onlyBatch = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/batch"},"Action":"*","Resource":"*"}]}`

// voucher hands out what the network vouches for: by its word, for one association and whoever holds the address.
type voucher struct {
	now   atomic.Pointer[Vouching]
	asked atomic.Int64
}

// vouch makes a new Vouching, for a role or for nobody.
func (v *voucher) vouch(holder, role string) {
	v.now.Store(&Vouching{Caller: func(vpc, association string, from netip.Addr) (string, *authpolicy.Caller) {
		v.asked.Add(1)
		if vpc != vpcID || association != "snva-0fffffffffffffff0" || !from.IsLoopback() || role == "" {
			return holder, nil
		}
		p, _ := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authpolicy.Identity)
		return holder, &authpolicy.Caller{Identity: authpolicy.Policies{{Name: "all", Policy: p}}, Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account,
			ARN: strings.Replace(vouchedARN, "batch", role, 1), PolicyARN: "arn:aws:iam::444455556666:role/" + role}}
	}})
}

// TestVouching sends unsigned requests where the network knows their sender, and signed ones.
func TestVouching(t *testing.T) {
	g := okTarget(t, "a")
	w := newWorld(t, g.addr())
	w.enforce(svcID, onlyBatch)
	v := &voucher{}
	w.serve(Options{Decisions: 16, Vouching: v.now.Load})
	unsigned := request("GET", "/a", "-", "", time.Now())
	c := w.dial()
	defer c.Close()
	r, n := bufio.NewReader(c), 0
	send := func(name string, in []byte, status int, source, caller string) {
		t.Helper()
		c.Write(in)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		rec := w.record(n)
		n++
		if resp.StatusCode != status || rec.PrincipalSource != source || rec.ResolvedUser != caller {
			t.Errorf("%s: %d, the record has %q by %q; want %d, %q by %q", name, resp.StatusCode, rec.ResolvedUser, rec.PrincipalSource, status, caller, source)
		}
	}
	send("nobody has opted in", unsigned, 403, "", "Anonymous")
	v.vouch("i-1", "batch")
	send("opted in", unsigned, 200, "Network", vouchedARN)
	if head := g.requests()[0]; !strings.Contains(head, "x-amzn-lattice-identity: Principal="+vouchedARN+";") {
		t.Errorf("the target got\n%s", head)
	}
	send("again", unsigned, 200, "Network", vouchedARN)
	if n := v.asked.Load(); n != 1 {
		t.Errorf("asked %d times for one connection", n)
	}
	send("signed", request("GET", "/a", sigv4.UnsignedPayload, "", time.Now()), 403, "Signature", callerARN)
	send("badly signed", request("GET", "/a", sigv4.UnsignedPayload, "", time.Now().Add(-time.Hour)), 403, "", "Unknown")
	v.vouch("i-1", "other")
	send("another role", unsigned, 403, "Network", strings.Replace(vouchedARN, "batch", "other", 1))
	v.vouch("i-1", "")
	send("no role", unsigned, 403, "", "Anonymous")
	v.vouch("i-1", "batch")
	send("the role again", unsigned, 200, "Network", vouchedARN)
	v.vouch("i-2", "batch")
	send("the address has gone to another", unsigned, 403, "", "Anonymous")
	v.vouch("i-1", "batch")
	v.now.Store(nil)
	send("opted out", unsigned, 403, "", "Anonymous")
	v.vouch("i-2", "batch")
	if status, _ := parseAnswer(t, w.exchangeBytes(unsigned)); status != 200 {
		t.Errorf("another connection of the address: %d", status)
	}
	n++
	v.vouch("", "")
	c = w.dial()
	defer c.Close()
	r = bufio.NewReader(c)
	send("nobody has the address", unsigned, 403, "", "Anonymous")
	v.vouch("i-2", "batch")
	send("somebody has got it since", unsigned, 403, "", "Anonymous")
}

// TestVouchingByTLS is vouched for over HTTPS as well, with HTTP/2, and not where TLS is passed through.
func TestVouchingByTLS(t *testing.T) {
	v := &voucher{}
	v.vouch("i-1", "batch")
	w, client, base := versions(t, trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP1", Options{Vouching: v.now.Load}, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("x-amzn-lattice-identity"))
	})
	w.enforce(svcID, onlyBatch)
	w.build()
	resp, err := client.Get(base + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || resp.ProtoMajor != 2 || !strings.HasPrefix(string(b), "Principal="+vouchedARN) {
		t.Errorf("%s by %s: %q", resp.Status, resp.Proto, b)
	}
}

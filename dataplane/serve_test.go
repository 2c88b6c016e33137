package dataplane

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/sigv4"
)

// okTarget answers every request with 200 and its own name.
func okTarget(t testing.TB, name string) *target {
	return newTarget(t, func(_ int, _ string, c net.Conn) bool {
		_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(name), name)
		return err == nil
	})
}

// request is the bytes of a request, signed when payloadHash is not "-".
func request(method, path, payloadHash, body string, at time.Time) []byte {
	r := sigv4.Request{Method: method, Path: path, Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
	fields := r.Headers
	if payloadHash != "-" {
		fields = append(fields, sigv4.Sign(&r, keyID, secret, "", region, signingName, payloadHash, at)...)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return append(append(b.Bytes(), "\r\n"...), body...)
}

// status and body of the first answer in b.
func parseAnswer(t *testing.T, b []byte) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return resp.StatusCode, string(body)
}

const (
	allowAll      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`
	allowCheckout = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/checkout"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`
	denyAdmin     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*/admin*"}]}`
	svcARN        = "arn:aws:vpc-lattice:eu-west-1:444455556666:service/" + svcID
)

// sha is the hexadecimal SHA-256 of a text.
func sha(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// TestAuthorization checks who gets through, and the texts and records of who does not.
func TestAuthorization(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name             string
		network, service string // policies; "NONE" is auth type NONE
		in               []byte
		strict           bool
		status           int
		body             string // what the answer begins with
		denied, user     string // of the record
	}{
		{"anonymous, NONE", "NONE", "NONE", request("GET", "/", "-", "", now), false, 200, "ok", "", "Anonymous"},
		{"signed, NONE", "NONE", "NONE", request("GET", "/", sigv4.UnsignedPayload, "", now), false, 200, "ok", "", callerARN},
		{"signed, strict", "NONE", allowCheckout, request("GET", "/", sigv4.UnsignedPayload, "", now), true, 200, "ok", "", callerARN},
		{"signed plainly, strict", "NONE", allowCheckout, request("GET", "/", "", "", now), true, 403, "IncompleteSignatureException: Missing the 'x-amz-content-sha256' in canonical headers.", "", "Unknown"},
		{"signed body, strict", "NONE", allowCheckout, request("POST", "/", sha("hello"), "hello", now), true, 403, "InvalidSignatureException: Signed payloads are not supported", "", "Unknown"},
		{"session token gone", "NONE", "NONE", bytes.Replace(request("GET", "/", sigv4.UnsignedPayload, "", now), []byte(";x-amz-date"), []byte(";x-amz-date;x-amz-security-token"), 1), false, 403,
			"IncompleteSignatureException: 'x-amz-security-token' is named as a SignedHeader, but it does not exist in the HTTP request.", "", "Unknown"},
		{"signed plainly", "NONE", allowCheckout, request("GET", "/", "", "", now), false, 200, "ok", "", callerARN},
		{"anonymous, service policy", "NONE", allowCheckout, request("GET", "/a", "-", "", now), false, 403,
			"AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: " + svcARN + "/a because no service-based policy allows the vpc-lattice-svcs:Invoke action", "Service", "Anonymous"},
		{"anonymous, both without policy", "", "", request("GET", "/", "-", "", now), false, 403,
			"AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: " + svcARN + "/ because no network-based policy allows", "Network", "Anonymous"},
		{"explicit deny", allowAll, denyAdmin, request("GET", "/admin", sigv4.UnsignedPayload, "", now), false, 403,
			"AccessDeniedException: User: " + callerARN + " is not authorized to perform: vpc-lattice-svcs:Invoke on resource: " + svcARN + "/admin with an explicit deny in a service-based policy", "Service", callerARN},
		{"bad signature where nobody asks", "NONE", "NONE", bytes.Replace(request("GET", "/", sigv4.UnsignedPayload, "", now), []byte("GET / "), []byte("GET /x "), 1), false, 403, "InvalidSignatureException: ", "", "Unknown"},
		{"old signature", "NONE", "NONE", request("GET", "/", sigv4.UnsignedPayload, "", now.Add(-time.Hour)), false, 403, "InvalidSignatureException: Signature expired", "", "Unknown"},
		{"signed body", "NONE", allowCheckout, request("POST", "/", sha("hello"), "hello", now), false, 200, "ok", "", callerARN},
		{"signed body that was changed", "NONE", allowCheckout, request("POST", "/", sha("hello"), "jello", now), false, 403, "InvalidSignatureException: ", "", "Unknown"},
		{"signed body in chunks", "NONE", allowCheckout, bytes.Replace(request("POST", "/", sha("hello"), "", now), []byte("\r\n\r\n"), []byte("\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), 1), false, 200, "ok", "", callerARN},
		{"signed body in chunks that was changed", "NONE", allowCheckout, bytes.Replace(request("POST", "/", sha("hello"), "", now), []byte("\r\n\r\n"), []byte("\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nxo\r\n0\r\n\r\n"), 1), false, 403, "InvalidSignatureException: ", "", "Unknown"},
		{"body that is signed as none", "NONE", allowCheckout, request("POST", "/", "", "hello", now), false, 403, "InvalidSignatureException: ", "", "Unknown"},
		{"signed body too large", "NONE", allowCheckout, request("POST", "/", sha("x"), strings.Repeat("a", maxSigned+1), now), false, 413, "Request Entity Too Large", "", "Unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := okTarget(t, "ok")
			w := newWorld(t, g.addr())
			if c.network != "NONE" {
				w.enforce(netID, c.network)
			}
			if c.service != "NONE" {
				w.enforce(svcID, c.service)
			}
			w.serve(Options{Strict: c.strict})
			status, body := parseAnswer(t, w.exchangeBytes(c.in))
			if status != c.status || !strings.HasPrefix(body, c.body) {
				t.Errorf("%d %q, want %d %q", status, body, c.status, c.body)
			}
			r := w.record(0)
			if r.AuthDeniedReason != c.denied || r.ResolvedUser != c.user || r.ResponseCode != c.status {
				t.Errorf("record: denied %q user %q code %d; want %q %q", r.AuthDeniedReason, r.ResolvedUser, r.ResponseCode, c.denied, c.user)
			}
			if want := map[bool]string{true: failClientAccessDenied}[c.status == 403]; c.status != 413 && r.FailureReason != want {
				t.Errorf("record: failure %q, want %q", r.FailureReason, want)
			}
			if c.status != 200 && len(g.requests()) != 0 {
				t.Errorf("the target saw %q", g.requests())
			}
			if c.user == callerARN && c.status == 200 {
				const want = "x-amzn-lattice-identity: Principal=" + callerARN + ";PrincipalOrgID=o-abcdefghij;PrincipalOrgPath=o-abcdefghij/r-abcd/;SessionName=s1;Type=AWS_IAM\r\n" +
					"x-amzn-lattice-identity-tags: principal=" + callerARN + ";principalorgid=o-abcdefghij;principalorgpath=o-abcdefghij/r-abcd/;env=prod;team=a\\;b\r\n"
				if !strings.Contains(g.requests()[0], want) {
					t.Errorf("the target saw %q", g.requests()[0])
				}
			}
		})
	}
}

// TestConnectFailure checks that another target is tried when connecting fails, and what is answered when none
// takes the connection.
func TestConnectFailure(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	t.Run("another target", func(t *testing.T) {
		w := newWorld(t, dead, okTarget(t, "ok").addr())
		w.serve(Options{})
		for range 6 {
			if status, body := parseAnswer(t, w.exchangeBytes(request("GET", "/", "-", "", time.Now()))); status != 200 {
				t.Errorf("%d %q", status, body)
			}
		}
	})
	for name, targets := range map[string][]netip.AddrPort{"no other": {dead}, "no target": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, targets...)
			w.serve(Options{})
			status, body := parseAnswer(t, w.exchangeBytes(request("GET", "/", "-", "", time.Now())))
			if r := w.record(0); status != 503 || body != "Service Unavailable" || r.FailureReason != failTargetConnection {
				t.Errorf("%d %q %q", status, body, r.FailureReason)
			}
		})
	}
}

// TestWeights checks that requests are dealt out by weight.
func TestWeights(t *testing.T) {
	a, b := okTarget(t, "a"), okTarget(t, "b")
	w := newWorld(t, a.addr())
	w.group("tg-0b", b.addr())
	w.rule("split", 30, "/split", trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: groupID, Weight: 90}, {TargetGroupID: "tg-0b", Weight: 10}}})
	w.serve(Options{})
	var in []byte
	for range 100 {
		in = append(in, request("GET", "/split", "-", "", time.Now())...)
	}
	w.exchangeBytes(in)
	if len(a.requests()) != 90 || len(b.requests()) != 10 {
		t.Errorf("%d and %d requests, want 90 and 10", len(a.requests()), len(b.requests()))
	}
}

// TestBodies checks that big bodies arrive whole, both ways at once, by length and chunked.
func TestBodies(t *testing.T) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		}
		io.Copy(w, r.Body)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	w := newWorld(t, ln.Addr().(*net.TCPAddr).AddrPort())
	w.serve(Options{})
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 1, headBuffer - 300, headBuffer, reactor.BufferSize, reactor.BufferSize + 1, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(rand.Uint32())
			}
			req, err := http.NewRequest("POST", "http://"+w.addr+"/", bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			if chunked {
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), -1
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("size %d chunked %v: got %d bytes, %v", size, chunked, len(got), err)
			}
		}
	}
}

// TestEarlyAnswer checks that an answer that comes before the body has ended reaches the client.
func TestEarlyAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Read(make([]byte, 1000))
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		io.Copy(io.Discard, c)
	}()
	defer func() { ln.Close(); <-done }()
	w := newWorld(t, ln.Addr().(*net.TCPAddr).AddrPort())
	w.serve(Options{})
	c := w.dial()
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000000\r\n\r\nsome", host)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 413 {
		t.Fatal(resp, err)
	}
	if !resp.Close {
		t.Error("the client is not told that the rest of its request may not be read")
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "big" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// TestClientLeaves checks that a client that leaves in the middle of a body leaves a target with a body that is
// cut short, and a record that says so.
func TestClientLeaves(t *testing.T) {
	g := okTarget(t, "ok")
	w := newWorld(t, g.addr())
	w.serve(Options{})
	c := w.dial()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nsome", host)
	c.Close()
	if r := w.record(0); r.FailureReason != failClientClosed || r.ResponseCode != 400 {
		t.Errorf("record %q %d", r.FailureReason, r.ResponseCode)
	}
}

// TestDrain checks that a request in flight is finished when the server is asked to end, with Connection: close,
// that an idle connection is closed, and that the first request of a new connection is still served.
func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	g := newTarget(t, func(_ int, _ string, c net.Conn) bool {
		close(arrived)
		<-release
		_, err := io.WriteString(c, defaultAnswer)
		return err == nil
	})
	w := newWorld(t, g.addr())
	w.make(Options{})
	socket := w.listen()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- w.server.Run(ctx) }()
	go func() { ended <- w.server.Serve(ctx, socket, vpcID, slot, port) }()
	busy, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	busy.Write(request("GET", "/", "-", "", time.Now()))
	<-arrived
	idle, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	idle.Write(request("GET", "/fixed404", "-", "", time.Now()))
	idle.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(idle)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 404 {
		t.Fatal(resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	fresh, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	cancel()
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection: %v", err)
	}
	fresh.Write(request("GET", "/fixed404", "-", "", time.Now()))
	fresh.SetDeadline(time.Now().Add(5 * time.Second))
	if out, err := io.ReadAll(fresh); err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 404 ") || !strings.Contains(string(out), "Connection: close") {
		t.Errorf("the new connection got %q, %v", out, err)
	}
	close(release)
	busy.SetDeadline(time.Now().Add(5 * time.Second))
	out, err := io.ReadAll(busy)
	if err != nil || !strings.Contains(string(out), "Connection: close") || !strings.HasSuffix(string(out), "ok") {
		t.Errorf("the busy connection got %q, %v", out, err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestRecord checks a whole record.
func TestRecord(t *testing.T) {
	g := okTarget(t, "ok")
	w := newWorld(t, g.addr())
	w.serve(Options{})
	in := []byte("POST /a/b?c=d HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: tester\r\nx-amzn-requestid: my-id\r\nContent-Length: 5\r\n\r\nhello")
	out := w.exchangeBytes(in)
	r := w.record(0)
	if r.BytesReceived != int64(len(in)) || r.BytesSent != int64(len(out)) {
		t.Errorf("bytes %d and %d, want %d and %d", r.BytesReceived, r.BytesSent, len(in), len(out))
	}
	if r.Duration <= 0 || r.RequestToTarget < 0 || r.ResponseFromTarget <= 0 || r.ResponseFromTarget > r.Duration {
		t.Errorf("durations %v %v %v", r.Duration, r.RequestToTarget, r.ResponseFromTarget)
	}
	got := fmt.Sprint(r.ServiceNetworkARN, " ", r.ServiceARN, " ", r.TargetGroupARN, " ", r.ListenerID, " ", r.SourceVPCARN, " ", r.DestinationVPCID, " ", r.Target == g.addr(), " ",
		r.Protocol, " ", r.Method, " ", r.Path, " ", r.Host == host, " ", r.UserAgent, " ", r.RequestID, " ", r.ResponseCode)
	const want = "arn:aws:vpc-lattice:eu-west-1:444455556666:servicenetwork/" + netID + " " + svcARN + " arn:aws:vpc-lattice:eu-west-1:444455556666:targetgroup/" + groupID + " " + lisID +
		" arn:aws:ec2:eu-west-1:444455556666:vpc/" + vpcID + " " + vpcID + " true HTTP/1.1 POST /a/b true tester my-id 200"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRoom checks that idle connections make room for new ones when there are too many.
func TestRoom(t *testing.T) {
	w := newWorld(t, okTarget(t, "ok").addr())
	w.serve(Options{MaxConnections: 8})
	for i := range 50 {
		c := w.dial()
		defer c.Close()
		c.Write(request("GET", "/", "-", "", time.Now()))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("connection %d: %v %v", i, resp, err)
		}
		io.Copy(io.Discard, resp.Body)
	}
}

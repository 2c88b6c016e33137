//go:build thorough

package signers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// What the nouns of the live test are called.
const (
	account = "444455556666"
	vpcID   = "vpc-0aaaaaaaaaaaaaaaa"
	netID   = "sn-0bbbbbbbbbbbbbbbb"
	svcID   = "svc-0123456789abcdef0"
	slot    = 32
	port    = 80
)

// served is the status of a request that was let through: the listener's default action.
const served = http.StatusNotFound

// plane serves one service whose auth type is AWS_IAM and returns the address of its listener. Whoever signs with
// the key may call it.
func plane(t *testing.T) string {
	t.Helper()
	st := trellis.NewState()
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	ref := func(id string) trellis.Ref { return trellis.Ref{Account: account, ID: id} }
	st.Put(&trellis.VPC{Meta: meta(vpcID), CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	st.Put(&trellis.ServiceNetwork{Meta: meta(netID), Name: "shop", AuthType: trellis.AuthNone})
	st.Put(&trellis.VPCAssociation{Meta: meta("snva-0fffffffffffffff0"), VPC: ref(vpcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive, Slot: slot})
	st.Put(&trellis.Service{Meta: meta(svcID), Name: "orders", AuthType: trellis.AuthIAM, Status: trellis.StatusActive})
	st.Put(&trellis.AuthPolicy{Resource: ref(svcID), Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`})
	st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0fffffffffffffff0"), Service: ref(svcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive})
	st.Put(&trellis.Listener{Meta: meta("listener-0dddddddddddddddd"), ServiceID: svcID, Name: "http", Protocol: trellis.ProtocolHTTP, Port: port,
		DefaultAction: trellis.Action{FixedResponse: served}})
	table := routing.Build(st, routing.Options{Region: region}, nil)
	identity, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	caller := &authpolicy.Caller{Identity: authpolicy.Policies{{Policy: identity}}, Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account,
		ARN: "arn:aws:sts::444455556666:assumed-role/checkout/s1", PolicyARN: "arn:aws:iam::444455556666:role/checkout", SessionName: "s1"}}
	key := sigv4.NewKey(secret)
	server := dataplane.New(dataplane.Options{Region: region, Groups: targetgroup.New(targetgroup.Options{Region: region}), Table: func() *routing.Table { return table },
		Callers: func(id, session string) (*authpolicy.Caller, *sigv4.Key, error) {
			if id != keyID || strings.ReplaceAll(session, token, "") != "" {
				return nil, nil, trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
			}
			return caller, key, nil
		}})
	socket, addr := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- server.Run(ctx) }()
	go func() { done <- server.Serve(ctx, socket, vpcID, slot, port) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return addr
}

// listen makes the socket of a listener.
func listen(t *testing.T) (socket int, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { socket, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return socket, ln.Addr().String()
}

// send writes a request byte by byte as its signer would and returns the status and body of the answer.
func send(t *testing.T, addr string, c *signed) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Method, c.Path)
	if c.Query != "" {
		b.WriteString("?" + c.Query)
	}
	b.WriteString(" HTTP/1.1\r\nConnection: close\r\n")
	length := false
	for _, h := range c.Headers {
		length = length || strings.EqualFold(h[0], "Content-Length")
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if !length && c.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(c.Body))
	}
	b.WriteString("\r\n" + c.Body)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.Method})
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return answer.StatusCode, string(body)
}

// TestLive has every signer sign the cases now and sends them to a listener of the data plane, by HTTP/1.1 and HTTP/2.
func TestLive(t *testing.T) {
	addr := plane(t)
	if status, body := send(t, addr, &signed{Name: "unsigned", Method: "GET", Path: "/", Headers: [][2]string{{"Host", host}}}); status != http.StatusForbidden {
		t.Fatalf("who does not sign gets %d %s", status, body)
	}
	for _, s := range signers {
		t.Run(s.name, func(t *testing.T) {
			h2 := dial(t, addr)
			for _, c := range s.accepted(t, s.sign(t, readCases(t), time.Now())) {
				status, body := send(t, addr, &c)
				if problem := judge(&c, status, body); problem != "" {
					t.Errorf("%s: %s", c.Name, problem)
				}
				status, body = h2.send(&c)
				if problem := judge(&c, status, body); problem != "" {
					t.Errorf("%s by HTTP/2: %s", c.Name, problem)
				}
			}
		})
	}
}

// judge tells what is wrong with an answer.
func judge(c *signed, status int, body string) string {
	want, begin := served, ""
	switch {
	case strings.IndexFunc(c.Path+c.Query, func(r rune) bool { return r >= 0x80 }) >= 0:
		want = http.StatusBadRequest // such a target is no target, whoever signs it
	case c.Want != ok:
		want, begin = http.StatusForbidden, c.Want
	}
	if status != want || c.Method != http.MethodHead && !strings.HasPrefix(body, begin) {
		return fmt.Sprintf("%d %s, want %d %s", status, body, want, begin)
	}
	return ""
}

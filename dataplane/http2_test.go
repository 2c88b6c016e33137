package dataplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/sigv4"
)

// server starts Go's HTTP server as a target: with HTTP/1.1, or HTTP/2 without or with TLS.
func server(t testing.TB, protocol trellis.Protocol, version string, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(version == "HTTP1")
	s.Protocols.SetHTTP2(version != "HTTP1" && protocol == trellis.ProtocolHTTPS)
	s.Protocols.SetUnencryptedHTTP2(version != "HTTP1" && protocol == trellis.ProtocolHTTP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if protocol == trellis.ProtocolHTTPS {
			s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*newKeys(t).issue(t, "target", true)}}
			s.ServeTLS(ln, "", "")
		} else {
			s.Serve(ln)
		}
	}()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// versions is a world whose clients may speak HTTP/2, with TLS or without, and whose target is Go's server.
func versions(t testing.TB, listener, protocol trellis.Protocol, version string, o Options, h http.HandlerFunc) (*world, *http.Client, string) {
	return versionsTo(t, listener, protocol, version, o, server(t, protocol, version, h))
}

// versionsTo is versions with a target of any kind.
func versionsTo(t testing.TB, listener, protocol trellis.Protocol, version string, o Options, target netip.AddrPort) (*world, *http.Client, string) {
	w, k := newWorld(t), newKeys(t)
	w.group(groupID, target)
	g := *must(trellis.Get[*trellis.TargetGroup](w.st, account+"/"+groupID))
	g.Protocol, g.ProtocolVersion = protocol, version
	w.st.Put(&g)
	w.listenTo(listener)
	o.Certificate = k.certificate
	w.serve(o)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", w.addr)
	}
	tr := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: k.roots}, Protocols: new(http.Protocols), DisableCompression: true}
	tr.Protocols.SetHTTP2(true)
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	base := "http://" + host
	if listener == trellis.ProtocolHTTPS {
		base = "https://" + host
	}
	return w, &http.Client{Transport: tr, Timeout: 30 * time.Second}, base
}

// each calls f for each way that a request of HTTP/2 may take.
func eachVersion(t *testing.T, h http.HandlerFunc, f func(t *testing.T, w *world, client *http.Client, base, version string)) {
	for _, way := range []struct {
		listener, protocol trellis.Protocol
		version            string
	}{
		{trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP1"},
		{trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP1"},
		{trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2"},
		{trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP2"},
		{trellis.ProtocolHTTPS, trellis.ProtocolHTTPS, "HTTP2"},
		{trellis.ProtocolHTTPS, trellis.ProtocolHTTPS, "HTTP1"},
	} {
		t.Run(fmt.Sprintf("%s to %s %s", way.listener, way.protocol, way.version), func(t *testing.T) {
			w, client, base := versions(t, way.listener, way.protocol, way.version, Options{}, h)
			f(t, w, client, base, way.version)
		})
	}
}

// TestHTTP2 sends requests with and without bodies, one after the other and many at once: all are answered with what
// they ask for, and accounted for.
func TestHTTP2(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() // with HTTP/1.1, it reads on while it answers
		w.Header().Set("x-seen", r.Proto+" "+r.Method+" "+r.Host+" "+r.URL.RequestURI()+" "+r.Header.Get("x-forwarded-proto")+" ["+r.Header.Get("x-mine")+"]")
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		io.Copy(w, r.Body)
	}
	eachVersion(t, echo, func(t *testing.T, w *world, client *http.Client, base, version string) {
		proto := map[string]string{"HTTP1": "HTTP/1.1", "HTTP2": "HTTP/2.0"}[version]
		n := 0
		for _, size := range []int{0, 1, 1000, 8191, 8193, 65535, 65536, 200_000, 2 << 20} {
			for _, known := range []bool{true, false} {
				body := bytes.Repeat([]byte("x"), size)
				var r io.Reader = bytes.NewReader(body)
				if !known {
					r = io.MultiReader(r)
				}
				req, err := http.NewRequest("POST", base+"/a/b?c=d%20e", r)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("X-Mine", "yes")
				resp, err := client.Do(req)
				if err != nil {
					t.Fatalf("%d bytes, length known %t: %v", size, known, err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, body) || resp.ProtoMajor != 2 || resp.StatusCode != 200 {
					t.Fatalf("%d bytes: %d came by %s with %d, %v", size, len(got), resp.Proto, resp.StatusCode, err)
				}
				want := proto + " POST " + host + " /a/b?c=d%20e " + base[:strings.Index(base, ":")] + " [yes]"
				if seen := resp.Header.Get("x-seen"); seen != want {
					t.Fatalf("the target saw %q, want %q", seen, want)
				}
				if c := resp.Header["Set-Cookie"]; len(c) != 2 {
					t.Errorf("cookies %q", c)
				}
				if r := w.record(n); r.Protocol != "HTTP/2" || r.ResponseCode != 200 || r.BytesReceived < int64(size) || r.BytesSent < int64(size) || r.FailureReason != "" {
					t.Errorf("record %+v", r)
				}
				n++
			}
		}
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				text := strings.Repeat(fmt.Sprint(i, " "), 1000)
				resp, err := client.Post(base+"/", "text/plain", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != text {
					t.Errorf("request %d: %d %.20q of %d bytes, %v", i, resp.StatusCode, got, len(got), err)
				}
			})
		}
		wg.Wait()
		for i := range 300 {
			if r := w.record(n + i); r.FailureReason != "" {
				t.Errorf("record %+v", r)
				break
			}
		}
	})
}

// TestHTTP2Streams talks both ways on one request, with trailers at the end.
func TestHTTP2Streams(t *testing.T) {
	talk := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "x-end")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		b := make([]byte, 100)
		for {
			n, err := r.Body.Read(b)
			w.Write(bytes.ToUpper(b[:n]))
			w.(http.Flusher).Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set("x-end", "over "+r.Trailer.Get("x-sent"))
	}
	for _, listener := range []trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS} {
		w, client, base := versions(t, listener, trellis.ProtocolHTTP, "HTTP2", Options{}, talk)
		in, out := io.Pipe()
		req, err := http.NewRequest("POST", base+"/", in)
		if err != nil {
			t.Fatal(err)
		}
		req.Trailer = http.Header{"X-Sent": nil}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			text := fmt.Sprint("word ", i)
			go io.WriteString(out, text)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != strings.ToUpper(text) {
				t.Fatalf("%q, %v", got, err)
			}
		}
		req.Trailer.Set("X-Sent", "all")
		out.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 || resp.Trailer.Get("x-end") != "over all" {
			t.Errorf("%q, %v, trailers %v", rest, err, resp.Trailer)
		}
		resp.Body.Close()
		w.record(0)
	}
}

// TestHTTP2Trailers passes trailers on, both ways, whatever version the target speaks.
func TestHTTP2Trailers(t *testing.T) {
	tell := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "x-end, x-other")
		if r.URL.Path == "/text" {
			io.WriteString(w, "text")
		}
		w.Header().Set("X-End", "heard "+r.Trailer.Get("x-sum"))
		w.Header().Set("X-Other", "1")
	}
	eachVersion(t, tell, func(t *testing.T, w *world, client *http.Client, base, version string) {
		for _, path := range []string{"/", "/text"} {
			for _, size := range []int{0, 10, 100_000} {
				req, err := http.NewRequest("POST", base+path, io.MultiReader(strings.NewReader(strings.Repeat("x", size))))
				if err != nil {
					t.Fatal(err)
				}
				req.Trailer = http.Header{"X-Sum": {fmt.Sprint(size)}}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(body) != strings.TrimPrefix(path, "/") || resp.Trailer.Get("x-end") != fmt.Sprint("heard ", size) || resp.Trailer.Get("x-other") != "1" {
					t.Errorf("%s with %d bytes: %q, %v, trailers %v", path, size, body, err, resp.Trailer)
				}
			}
		}
		w.settle()
	})
}

// TestHTTP2Gone gives up requests: the target sees it, and the connection goes on.
func TestHTTP2Gone(t *testing.T) {
	given := make(chan error, 10)
	wait := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			return
		}
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		given <- r.Context().Err()
	}
	eachVersion(t, wait, func(t *testing.T, w *world, client *http.Client, base, version string) {
		for i := range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "GET", base+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			resp.Body.Close()
			select {
			case <-given:
			case <-time.After(10 * time.Second):
				t.Fatal("the target does not see that nobody waits")
			}
			if r := w.record(2 * i); r.FailureReason != failClientClosed {
				t.Errorf("record %+v", r)
			}
			if resp, err := client.Get(base + "/quick"); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			w.record(2*i + 1)
		}
		if s := w.server.Stats(); s.Accepted != 1 {
			t.Errorf("%d connections", s.Accepted)
		}
	})
}

// TestHTTP2Refuses looks at what can't go to a target, and at what is no request.
func TestHTTP2Refuses(t *testing.T) {
	hello := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
	_, client, base := versions(t, trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP1", Options{}, hello)
	ask := func(method, path string, fields ...string) (status int, grpc string) {
		t.Helper()
		req, err := http.NewRequest(method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			req.Header.Set(fields[i], fields[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("grpc-status")
	}
	for _, c := range []struct {
		method, path string
		fields       []string
		status       int
		grpc         string
	}{
		{"GET", "/", nil, 200, ""},
		{"POST", "/a.B/C", []string{"content-type", "application/grpc"}, 502, "14"},
		{"GET", "/fixed404", nil, 404, ""},
	} {
		if status, grpc := ask(c.method, c.path, c.fields...); status != c.status || grpc != c.grpc {
			t.Errorf("%s %s: %d, grpc-status %q", c.method, c.path, status, grpc)
		}
	}
	_, client, base = versions(t, trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "GRPC", Options{}, hello)
	if status, _ := ask("GET", "/"); status != 502 {
		t.Errorf("GET to a target group of gRPC: %d", status)
	}
	if status, _ := ask("POST", "/"); status != 200 {
		t.Errorf("POST to a target group of gRPC: %d", status)
	}
}

// TestHTTP2DeniesGRPC answers a call that no policy allows so that clients of gRPC know it.
func TestHTTP2DeniesGRPC(t *testing.T) {
	w, k := newWorld(t), newKeys(t)
	w.enforce(svcID, "")
	w.listenTo(trellis.ProtocolHTTPS)
	w.serve(Options{Certificate: k.certificate})
	client := w.client(k, nil)
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	resp, err := client.Post("https://"+host+"/a.B/C", "application/grpc+proto", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 403 || resp.Header.Get("grpc-status") != "7" || !strings.Contains(resp.Header.Get("grpc-message"), "is not authorized to perform: vpc-lattice-svcs:Invoke") ||
		resp.Header.Get("content-type") != "application/grpc" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if r := w.record(0); !r.GRPC || r.GRPCResponseCode != 7 || r.AuthDeniedReason != "Service" {
		t.Errorf("record %+v", r)
	}
}

// TestHTTP2Drains ends a server with requests under way: they are served, and the client hears GOAWAY.
func TestHTTP2Drains(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	wait := func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		io.WriteString(w, "served")
	}
	w, _, _ := versions(t, trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2", Options{}, wait)
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	cc, err := tr.NewClientConn(t.Context(), "http", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	req, _ := http.NewRequest("GET", "http://"+host+"/", nil)
	result := make(chan string, 1)
	go func() {
		resp, err := cc.RoundTrip(req)
		if err != nil {
			result <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		result <- string(b)
	}()
	<-begun
	l := w.only()
	w.workers(func(x *worker) { x.each(l, (*conn).dismiss) })
	for cc.Available() > 0 {
		yield()
	}
	close(end)
	if got := <-result; got != "served" {
		t.Error(got)
	}
	for w.server.Stats().Open > 0 {
		yield()
	}
}

// only returns the one listener that has a connection.
func (w *world) only() (l *listener) {
	w.await(func(c *conn) bool { l = c.l; return true })
	return l
}

// settle waits until no worker holds anything for a request.
func (w *world) settle() {
	w.t.Helper()
	held := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); yield() {
		held = ""
		w.workers(func(x *worker) {
			if x.inFlight != 0 || x.loop.BuffersOut() != 0 || x.http2.Held() != 0 || x.heldBytes != 0 {
				held = fmt.Sprintf("%d exchanges, %d bytes of buffers, output of %d connections, %d bytes of bodies", x.inFlight, x.loop.BuffersOut(), x.http2.Held(), x.heldBytes)
			}
		})
		if held == "" {
			return
		}
	}
	w.t.Errorf("what is held and should not be: %s", held)
}

// TestHTTP2LeavesNothing ends connections in the midst of requests in all ways: nothing is held afterwards.
func TestHTTP2LeavesNothing(t *testing.T) {
	slowly := func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		for range 100 {
			if _, err := w.Write(make([]byte, 50_000)); err != nil {
				return
			}
		}
		io.Copy(io.Discard, r.Body)
	}
	eachVersion(t, slowly, func(t *testing.T, w *world, client *http.Client, base, version string) {
		for i := range 20 {
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			for range 10 {
				wg.Go(func() {
					in, out := io.Pipe()
					go out.Write(make([]byte, 100_000))
					req, err := http.NewRequestWithContext(ctx, "POST", base+"/", in)
					if err != nil {
						t.Error(err)
						return
					}
					if resp, err := client.Do(req); err == nil {
						io.CopyN(io.Discard, resp.Body, 100_000)
						if i%2 == 0 {
							resp.Body.Close()
						}
					}
					out.Close()
				})
			}
			wg.Wait()
			cancel()
			client.CloseIdleConnections()
		}
		client.Transport.(*http.Transport).CloseIdleConnections()
		w.settle()
	})
}

// TestHTTP2Signed verifies signatures of requests of HTTP/2, of their bodies too, and tells targets of either version who
// called.
func TestHTTP2Signed(t *testing.T) {
	who := func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Header.Get("x-amzn-lattice-identity"), " ", len(b), " ", err)
	}
	eachVersion(t, who, func(t *testing.T, w *world, client *http.Client, base, version string) {
		w.enforce(svcID, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
		w.build()
		for _, size := range []int{0, 10, 70_000} {
			for _, known := range []bool{true, false} {
				body := bytes.Repeat([]byte("b"), size)
				sum := sha256.Sum256(body)
				for hash, status := range map[string]int{hex.EncodeToString(sum[:]): 200, sigv4.UnsignedPayload: 200, strings.Repeat("0", 64): 403} {
					r := sigv4.Request{Method: "POST", Path: "/a%20b", RawQuery: "x=1", Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
					fields := append(r.Headers[1:], sigv4.Sign(&r, keyID, secret, "", region, signingName, hash, time.Now())...)
					var in io.Reader = bytes.NewReader(body)
					if !known {
						in = io.MultiReader(in)
					}
					req, err := http.NewRequest("POST", base+"/a%20b?x=1", in)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range fields {
						req.Header.Set(f.Name, f.Value)
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode != status || status == 200 && (!strings.Contains(string(got), "Principal="+callerARN+";") || !strings.HasSuffix(string(got), fmt.Sprint(" ", size, " <nil>"))) {
						t.Errorf("%d bytes, length known %t, hash %.10s: %d %q", size, known, hash, resp.StatusCode, got)
					}
				}
			}
		}
		w.settle()
	})
}

// TestHTTP2Overrun opens more streams than there is memory for: some are served, some are told so, the others are refused
// so that they may be sent elsewhere, and nothing stays.
func TestHTTP2Overrun(t *testing.T) {
	t.Parallel() // Go's client waits before it sends again
	end := make(chan struct{})
	wait := func(w http.ResponseWriter, r *http.Request) { <-end }
	w, client, base := versions(t, trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2", Options{Workers: 1, MaxMemory: 64 * exchangeCost}, wait)
	seen := make(chan string, 100)
	for range 100 {
		go func() {
			resp, err := client.Get(base + "/")
			if err != nil {
				seen <- "refused"
				return
			}
			resp.Body.Close()
			seen <- resp.Status
		}()
	}
	counts := map[string]int{}
	for range 36 { // no more than 64 wait for an answer, at least
		counts[<-seen]++
	}
	close(end)
	for range 64 {
		counts[<-seen]++
	}
	if counts["200 OK"] == 0 || counts["503 Service Unavailable"] == 0 || counts["200 OK"] > 64 {
		t.Errorf("%v", counts)
	}
	w.settle()
}

// TestHTTP2Lifetime says goodbye to a connection in strict mode before it is ten minutes old, and ends what goes on then.
func TestHTTP2Lifetime(t *testing.T) {
	k := &clock{}
	begun := make(chan struct{})
	w, _, _ := versions(t, trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP2", Options{Strict: true, Now: k.now}, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	k.w = w
	s := *must(trellis.Get[*trellis.Service](w.st, account+"/"+svcID))
	s.IdleTimeoutSeconds = 3600 // more than may be said, so that nothing else ends it
	w.st.Put(&s)
	w.build()
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}}
	tr.Protocols.SetHTTP2(true)
	cc, err := tr.NewClientConn(t.Context(), "https", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	failed := make(chan error, 1)
	go func() {
		req, _ := http.NewRequest("GET", "https://"+host+"/", nil)
		resp, err := cc.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-begun
	k.advance(strictLifetime - headTimeout + 2*time.Second)
	for cc.Available() > 0 {
		yield()
	}
	select {
	case err := <-failed:
		t.Fatalf("the request ended with its connection's farewell: %v", err)
	default:
	}
	k.advance(headTimeout)
	if err := <-failed; err == nil {
		t.Error("the request outlived its connection")
	}
	if r := w.record(0); r.FailureReason != failTooLong {
		t.Errorf("record %+v", r)
	}
}

package dataplane

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// forged is what the fields of clients say that only the network may send.
const forged = "FORGED"

// spelling is a name of a field, and what becomes of it.
type spelling struct{ name, outcome string }

// spellings reads testdata/identityfields.txt.
func spellings(t *testing.T) (out []spelling) {
	t.Helper()
	b, err := os.ReadFile("testdata/identityfields.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		name := string(unescape(t, strings.TrimRight(line[:i], " ")+`\c`))
		out = append(out, spelling{name, line[i+1:]})
	}
	return out
}

// recorder is a target of HTTP/2 that hands on the fields of each request, trailers included.
func recorder(t *testing.T, seen chan<- string) netip.AddrPort {
	return behave(t, func(c net.Conn) {
		f, err := newFramedTarget(c)
		if err != nil {
			return
		}
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		fields := map[uint32]string{}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			ended := false
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			case *http2.MetaHeadersFrame:
				for _, field := range frame.Fields {
					fields[frame.StreamID] += field.Name + ": " + field.Value + "\n"
				}
				ended = frame.StreamEnded()
			case *http2.DataFrame:
				ended = frame.StreamEnded()
			}
			if id := frame.Header().StreamID; ended {
				seen <- fields[id]
				f.head(id, true, ":status", "200", "grpc-status", "0")
			}
		}
	})
}

// someone makes the network vouch for every connection.
func someone(p trellis.Principal) Options {
	v := &Vouching{Caller: func(string, string, netip.Addr) (string, *authpolicy.Caller) {
		return "i-1", &authpolicy.Caller{Principal: p}
	}}
	return Options{Vouching: func() *Vouching { return v }}
}

// rawTarget is a target of HTTP/1.1 that hands on the bytes of each request.
func rawTarget(t *testing.T, seen chan<- string) netip.AddrPort {
	var g *target
	g = newTarget(t, func(n int, _ string, c net.Conn) bool {
		seen <- g.requests()[n]
		_, err := io.WriteString(c, defaultAnswer)
		return err == nil
	})
	return g.addr()
}

// TestIdentityFieldsOfClients sends fields that only the network may send, in every spelling and place, and looks at what
// targets get: what the network says, once, and nothing else of the kind.
func TestIdentityFieldsOfClients(t *testing.T) {
	for _, version := range []string{"HTTP1", "HTTP2", "GRPC"} {
		seen := make(chan string, 1)
		addr := netip.AddrPort{}
		if version == "HTTP1" {
			addr = rawTarget(t, seen)
		} else {
			addr = recorder(t, seen)
		}
		w, _, _ := versionsTo(t, trellis.ProtocolHTTP, trellis.ProtocolHTTP, version, someone(trellis.Principal{Type: trellis.PrincipalAssumedRole, ARN: callerARN}), addr)
		for way, send := range ways(t, w, version) {
			for _, s := range spellings(t) {
				name := fmt.Sprintf("%q by %s to %s", s.name, way, version)
				if strings.Contains(way, "HTTP/2") || version != "HTTP1" {
					if strings.ToLower(s.name) != s.name {
						s.outcome = "refused" // RFC 9113 8.2.1
					}
				}
				status := send(s.name)
				switch {
				case s.outcome == "refused" && status != "400" && status != "reset" && !strings.Contains(way, "trailer of HTTP/1.1"):
					t.Errorf("%s: status %s", name, status)
				case s.outcome != "refused" && status != "200":
					t.Errorf("%s: status %s", name, status)
				}
				got := ""
				select {
				case got = <-seen:
				default:
					if status == "200" {
						t.Fatalf("%s: no target saw it", name)
					}
					continue
				}
				if passes := strings.Contains(got, forged); passes != (s.outcome == "passes") && !(way == "nominated" && !passes) {
					t.Errorf("%s: a target got\n%s", name, got)
				}
				checkOwn(t, name, got)
			}
		}
	}
}

// checkOwn looks for each field of the network in what a target got: once.
func checkOwn(t *testing.T, name, got string) {
	t.Helper()
	for _, own := range []string{"x-amzn-lattice-identity: Principal=" + callerARN, "x-amzn-lattice-identity-tags: principal=" + callerARN,
		"x-amzn-lattice-network: SourceVpcArn=", "x-amzn-lattice-target: ServiceArn="} {
		field, _, _ := strings.Cut(own, " ")
		if n := strings.Count(strings.ToLower(got), "\n"+field+" "); n != 1 || !strings.Contains(got, own) {
			t.Errorf("%s: a target got %s %d times:\n%s", name, field, n, got)
		}
	}
}

// ways are how a client sends a field, twice, in a request to targets of a version. They return the status of the answer, or
// "reset".
func ways(t *testing.T, w *world, version string) map[string]func(name string) string {
	byHTTP1 := func(text string) func(string) string {
		return func(name string) string {
			out := w.exchangeBytes([]byte(strings.NewReplacer("{host}", host, "{name}", name, "{forged}", forged).Replace(text)))
			_, status, _ := strings.Cut(string(out), " ")
			return status[:min(3, len(status))]
		}
	}
	byHTTP2 := func(trailers bool, head ...string) func(string) string {
		return func(name string) string {
			f := w.newFramedClient(w.addr)
			defer f.c.Close()
			fields := append([]string{":scheme", "http", ":authority", host, ":path", "/a"}, head...)
			if !trailers {
				fields = append(fields, name, forged, "x-between", "1", name, forged)
			}
			f.head(1, false, fields...)
			switch {
			case trailers:
				f.WriteData(1, false, []byte("body"))
				f.head(1, true, name, forged, "x-between", "1", name, forged)
			case head[1] != "CONNECT":
				f.WriteData(1, true, []byte("body"))
			}
			if f.send() != nil {
				return "reset"
			}
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return "reset"
				}
				switch frame := frame.(type) {
				case *http2.RSTStreamFrame, *http2.GoAwayFrame:
					return "reset"
				case *http2.MetaHeadersFrame:
					return frame.PseudoValue("status")
				}
			}
		}
	}
	const chunked = "POST /a HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTrailer: {name}\r\n\r\n1\r\nx\r\n0\r\n{name}: {forged}\r\nx-between: 1\r\n{name}: {forged}\r\n\r\n"
	all := map[string]map[string]func(string) string{
		"HTTP1": {
			"HTTP/1.1":                     byHTTP1("GET /a HTTP/1.1\r\nHost: {host}\r\n{name}: {forged}\r\nX-Between: 1\r\n{name}:{forged}\r\n\r\n"),
			"HTTP/1.0":                     byHTTP1("GET /a HTTP/1.0\r\nHost: {host}\r\n{name}: {forged}\r\nX-Between: 1\r\n{name}:{forged}\r\n\r\n"),
			"nominated":                    byHTTP1("GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: {name}, x-amzn-lattice-identity, x-amzn-lattice-target\r\n{name}: {forged}\r\n{name}: {forged}\r\n\r\n"),
			"a trailer of HTTP/1.1":        byHTTP1(chunked),
			"WebSocket by HTTP/1.1":        byHTTP1(strings.Replace(wsAsk, "\r\n\r\n", "\r\n{name}: {forged}\r\n{name}: {forged}\r\n\r\n", 1)),
			"HTTP/2":                       byHTTP2(false, ":method", "POST"),
			"a trailer of HTTP/2":          byHTTP2(true, ":method", "POST"),
			"WebSocket by HTTP/2":          byHTTP2(false, ":method", "CONNECT", ":protocol", "websocket", "sec-websocket-version", "13"),
			"a trailer of HTTP/2, with TE": byHTTP2(true, ":method", "POST", "te", "trailers"),
		},
		"HTTP2": {
			"HTTP/2":              byHTTP2(false, ":method", "POST"),
			"a trailer of HTTP/2": byHTTP2(true, ":method", "POST"),
		},
		"GRPC": {
			"metadata of gRPC":           byHTTP2(false, ":method", "POST", "content-type", "application/grpc", "te", "trailers"),
			"a trailer of a gRPC client": byHTTP2(true, ":method", "POST", "content-type", "application/grpc", "te", "trailers"),
		},
	}
	return all[version]
}

// TestIdentityFieldsOfTargets answers with the network's own fields: no client gets them, and all others.
func TestIdentityFieldsOfTargets(t *testing.T) {
	g := newTarget(t, func(_ int, _ string, c net.Conn) bool {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nx-amzn-lattice-identity: "+forged+"\r\nX_Amzn_Lattice_Target: "+forged+"\r\nx-amzn-requestid: "+forged+
			"\r\nX-Other: kept\r\nx-forwarded-for: kept\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Amzn-Lattice-Network: "+forged+"\r\nx-last: kept\r\n\r\n")
		return err == nil
	})
	w := newWorld(t, g.addr())
	w.serve(Options{})
	got := string(w.exchangeBytes([]byte("GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
	if strings.Contains(got, forged) || strings.Count(got, "kept") != 3 {
		t.Errorf("the client got\n%s", got)
	}
}

// TestIdentityFields writes all kinds of callers, and holds the fields to what targets may rely on.
func TestIdentityFields(t *testing.T) {
	const arn = "arn:aws:sts::444455556666:assumed-role/r/s"
	long := map[string]string{"a": "1", "z": "2"}
	for i := range 60 {
		long[fmt.Sprintf("m%02d", i)] = strings.Repeat("v", 256)
	}
	for _, c := range []struct {
		name           string
		p              trellis.Principal
		identity, tags string
	}{
		{"outside of an organization", trellis.Principal{ARN: arn, SessionName: "s"},
			"Principal=" + arn + ";PrincipalOrgID=;PrincipalOrgPath=;SessionName=s;Type=AWS_IAM", "principal=" + arn + ";principalorgid=;principalorgpath="},
		{"a user", trellis.Principal{ARN: "arn:aws:iam::444455556666:user/u", OrgID: "o-a", OrgPath: "o-a/r-b/ou-c/"},
			"Principal=arn:aws:iam::444455556666:user/u;PrincipalOrgID=o-a;PrincipalOrgPath=o-a/r-b/ou-c/;SessionName=;Type=AWS_IAM",
			"principal=arn:aws:iam::444455556666:user/u;principalorgid=o-a;principalorgpath=o-a/r-b/ou-c/"},
		{"tags", trellis.Principal{ARN: arn, SessionName: "s", Tags: map[string]string{"b": "x;principal=y", "a": "", "ü": "größe 📦", "c": `\`, "d": "\r\nx: y\x7f", "e=f": "g=h", "s;t": "u"}},
			"Principal=" + arn + ";PrincipalOrgID=;PrincipalOrgPath=;SessionName=s;Type=AWS_IAM",
			"principal=" + arn + `;principalorgid=;principalorgpath=;a=;b=x\;principal=y;c=\\;d=??x: y?;e\=f=g=h;s\;t=u;ü=größe 📦`},
		{"tags that say who", trellis.Principal{ARN: arn, Tags: map[string]string{"principal": "me", "PrincipalOrgID": "o-me", "principalorgpath": "o-me/", "principals": "kept"}},
			"Principal=" + arn + ";PrincipalOrgID=;PrincipalOrgPath=;SessionName=;Type=AWS_IAM",
			"principal=" + arn + ";principalorgid=;principalorgpath=;principals=kept"},
		{"a certificate", trellis.Principal{ARN: arn, SessionName: "s", X509: &trellis.X509{IssuerOU: "a;b", SubjectCN: `c\;d`, SANNameCN: "e", SANDNS: "f.example", SANURI: "spiffe://example/ns/a"}},
			"Principal=" + arn + `;PrincipalOrgID=;PrincipalOrgPath=;SessionName=s;X509Issuer/OU=a\;b;X509SAN/DNS=f.example;X509SAN/NameCN=e;X509SAN/URI=spiffe://example/ns/a;X509Subject/CN=c\\\;d;Type=AWS_IAM`,
			"principal=" + arn + ";principalorgid=;principalorgpath="},
	} {
		x := &exchange{caller: &authpolicy.Caller{Principal: c.p}}
		if got := string(x.appendIdentity(nil)); got != c.identity {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.identity)
		}
		if got := string(x.appendIdentityTags(nil)); got != c.tags {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.tags)
		}
	}
	x := &exchange{caller: &authpolicy.Caller{Principal: trellis.Principal{ARN: arn, Tags: long}}}
	got := string(x.appendIdentityTags([]byte("before")))
	tags := strings.Split(strings.TrimPrefix(got, "before"), ";")
	if len(got) > maxIdentityTags+len("before") || len(got) < maxIdentityTags-300 || tags[3] != "a=1" || slices.Contains(tags, "z=2") || tags[len(tags)-1] != fmt.Sprintf("m%02d=%s", len(tags)-5, strings.Repeat("v", 256)) {
		t.Errorf("%d bytes of too many tags: %d of them, the last %s", len(got), len(tags), tags[len(tags)-1])
	}
}

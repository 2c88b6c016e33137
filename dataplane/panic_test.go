package dataplane

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// TestPanic serves requests whose callers make the node panic, by both versions of HTTP, when their bodies are held already:
// the client sees its request fail, the log tells why, nothing is held afterwards, and others are served.
func TestPanic(t *testing.T) {
	for _, protocol := range []trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS} {
		for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(string(protocol)+" "+version, func(t *testing.T) {
				var log bytes.Buffer
				nobody := func(string, string) (*authpolicy.Caller, *sigv4.Key, error) { return nil, sigv4.NewKey(secret), nil }
				o := Options{Workers: 1, Callers: nobody, Logger: slog.New(slog.NewTextHandler(&log, nil))}
				w, client, base := versions(t, protocol, trellis.ProtocolHTTP, "HTTP1", o, func(w http.ResponseWriter, r *http.Request) {})
				if version == "HTTP/1.1" {
					p := new(http.Protocols)
					p.SetHTTP1(true)
					client.Transport.(*http.Transport).Protocols = p
				}
				body := bytes.Repeat([]byte("b"), 70_000)
				sum := sha256.Sum256(body)
				r := sigv4.Request{Method: "POST", Path: "/", Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
				signature := sigv4.Sign(&r, keyID, secret, "", region, signingName, hex.EncodeToString(sum[:]), time.Now())
				const times = 3
				for range times {
					req, err := http.NewRequest("POST", base+"/", bytes.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range signature {
						req.Header.Set(f.Name, f.Value)
					}
					if resp, err := client.Do(req); err == nil {
						t.Errorf("answered with %d", resp.StatusCode)
						resp.Body.Close()
					}
					w.settle()
				}
				resp, err := client.Get(base + "/")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 || resp.Proto != version {
					t.Errorf("afterwards: %s %s", resp.Proto, resp.Status)
				}
				client.CloseIdleConnections()
				w.settle()
				w.workers(func(x *worker) {
					for _, tenant := range x.tenants {
						if tenant.serving != 0 {
							t.Errorf("%d are served", tenant.serving)
						}
					}
				})
				if n := strings.Count(log.String(), "request handling panicked"); n != times {
					t.Errorf("%d panics in the log:\n%s", n, log.String())
				}
			})
		}
	}
}

package dataplane

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// h2spec is the conformance suite of HTTP/2, which .ci/install builds.
const h2spec = "../.cache/h2spec/h2spec"

// h2specKnown are the cases that fail, by protocol of the listener, with the reason. The test fails, too, when one of
// them passes.
var h2specKnown = map[trellis.Protocol]struct{ cases, why string }{
	trellis.ProtocolHTTP: {"3.5. HTTP/2 Connection Preface", "the listener speaks HTTP/1.1 as well: what is no preface is a bad request, and answered before the connection ends"},
}

// TestH2spec runs the whole suite, its strict cases too, with TLS and by prior knowledge (RFC 9113, RFC 7541).
func TestH2spec(t *testing.T) {
	if _, err := os.Stat(h2spec); err != nil {
		t.Fatalf("h2spec is missing: run `make tools`, which builds it. %v", err)
	}
	for _, protocol := range []trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			g := newTarget(t, ok)
			w, k := newWorld(t, g.addr()), newKeys(t)
			s := *must(trellis.Get[*trellis.Service](w.st, account+"/"+svcID))
			s.CustomDomainName, s.CertificateARN = "localhost", customARN
			w.st.Put(&s)
			w.listenTo(protocol)
			w.serve(Options{Certificate: k.certificate})
			_, port, err := net.SplitHostPort(w.addr)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			args := []string{"-h", "localhost", "-p", port, "--strict", "-o", "5"}
			if protocol == trellis.ProtocolHTTPS {
				args = append(args, "-t", "-k")
			}
			out, err := exec.CommandContext(ctx, h2spec, args...).CombinedOutput()
			known, want := h2specKnown[protocol], " 0 failed"
			if known.cases != "" {
				want = " 1 failed"
			}
			if !strings.Contains(string(out), want) || strings.Count(string(out), "× ") != 2*strings.Count(want, "1") || !strings.Contains(string(out), known.cases) {
				t.Errorf("%v, want%s (%s)\n%s", err, want, known.why, out)
			}
		})
	}
}

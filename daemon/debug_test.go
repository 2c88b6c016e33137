package daemon

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestDebug asks for what bench/soak asks for: the goroutines, the counters, and free memory to be given back.
func TestDebug(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveDebug(ctx, ln, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	for _, want := range []struct{ method, path, text string }{
		{http.MethodGet, "/debug/pprof/goroutine?debug=1", "goroutine profile: total "},
		{http.MethodGet, "/debug/vars", "HeapAlloc"},
		{http.MethodPost, "/debug/free", ""},
	} {
		req, _ := http.NewRequestWithContext(ctx, want.method, "http://"+ln.Addr().String()+want.path, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(b), want.text) {
			t.Errorf("%s %s: %s\n%.200s", want.method, want.path, res.Status, b)
		}
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

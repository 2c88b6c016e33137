package daemon

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestRunLeavesNothing starts a whole Trellis twice on the same data and stops it: no goroutine outlives Run, the
// credentials are the same and readable by their owner alone.
func TestRunLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := DefaultConfig()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	var first string
	for range 2 {
		d, err := New(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.readiness(); err == nil {
			t.Error("ready before it runs")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		url, err := d.Endpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("/healthz is %d", res.StatusCode)
		}
		http.DefaultClient.CloseIdleConnections()
		wantMetrics(t, c.Data, "trellis_connections 0", "trellis_connections_accepted_total 0", `trellis_access_log_rows_total{fate="dropped"} 0`, "trellis_acceleration_enabled ", "etcd_")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		text, err := os.ReadFile(c.CredentialsFile())
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(c.CredentialsFile()); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("credentials: %v %v", info.Mode(), err)
		}
		if first != "" && string(text) != first {
			t.Error("the second start wrote other credentials")
		}
		first = string(text)
	}
}

// wantMetrics asks for the metrics of a Trellis that runs.
func wantMetrics(t *testing.T, data string, want ...string) {
	t.Helper()
	if info, err := os.Stat(LocalSocket(data)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	res, err := Metrics(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	text, err := io.ReadAll(res)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(text), "\n"+w) {
			t.Errorf("no %q among the metrics", w)
		}
	}
}

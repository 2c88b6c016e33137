package daemon

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// TestCertificates starts a Trellis three times on the same data: root and certificate of generated names stay, and the
// key pair is there as soon as Trellis is ready, and the next one as soon as it is renewed. /ca.pem and the file have the
// root, the log has no key.
func TestCertificates(t *testing.T) {
	c := DefaultConfig()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	var log bytes.Buffer
	var root []byte
	var leaf *x509.Certificate
	name := "orders-0123456789abcdef0." + trellis.GeneratedDomain(c.Region)
	for start := range 3 {
		d, err := New(c, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.certificate("", name); !errors.Is(err, certificate.ErrNoCertificate) {
			t.Errorf("a certificate before the start: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		url, err := d.Endpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := d.certificate("", name)
		if err != nil {
			t.Fatal(err)
		}
		if start == 2 { // renewed while it runs: the next handshake has the new one
			shifted := func() time.Time { return time.Now().Add(80 * 24 * time.Hour) }
			later := controlplane.New(controlplane.Options{Store: d.store, Region: c.Region, Now: shifted})
			if err := later.RenewCertificates(ctx); err != nil {
				t.Fatal(err)
			}
			rev, err := d.store.Commit(ctx, func(*store.Tx) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if err := d.applied.wait(ctx, rev); err != nil {
				t.Fatal(err)
			}
			if renewed, err := d.certificate("", name); err != nil || renewed == pair || renewed.Leaf.NotAfter.Before(pair.Leaf.NotAfter) {
				t.Errorf("the certificate before is handed out after its renewal: %v", err)
			}
		}
		res, err := http.Get(url + "/ca.pem")
		if err != nil {
			t.Fatal(err)
		}
		served, err := io.ReadAll(res.Body)
		res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.Status, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}

		file, err := os.ReadFile(c.RootFile())
		if err != nil || !bytes.Equal(file, served) || root != nil && !bytes.Equal(root, served) {
			t.Errorf("start %d: another root: %v", start, err)
		}
		if info, err := os.Stat(c.RootFile()); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v %v", info, err)
		}
		if leaf != nil && !leaf.Equal(pair.Leaf) {
			t.Errorf("start %d: another certificate of generated names", start)
		}
		root, leaf = served, pair.Leaf
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(root)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Error(err)
		}
		if start == 1 { // somebody removes it
			os.Remove(c.RootFile())
		}
	}
	if strings.Contains(log.String(), "PRIVATE KEY") {
		t.Error("the log has a private key")
	}
}

package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// outerEtcd starts an etcd with a listener, as others would run it, and returns its address.
func outerEtcd(t *testing.T) string {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	any := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenPeerUrls = nil
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{any}, []url.URL{any}
	cfg.AdvertisePeerUrls = []url.URL{any}
	cfg.InitialCluster = cfg.Name + "=" + any.String()
	cfg.TickMs, cfg.ElectionMs = 20, 100
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	return e.Clients[0].Addr().String()
}

// valve passes connections on to an address, until it is shut: then bytes stay where they are, in silence.
type valve struct {
	ln   net.Listener
	mu   sync.Mutex
	open chan struct{} // closed while bytes pass
	wg   sync.WaitGroup
}

// newValve returns an open valve.
func newValve(t *testing.T, to string) *valve {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{ln: ln, open: make(chan struct{})}
	close(v.open)
	v.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			v.wg.Go(func() { v.pass(up, c) })
			v.wg.Go(func() { v.pass(c, up) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		v.turn(true)
		v.wg.Wait()
	})
	return v
}

// pass copies one direction.
func (v *valve) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		v.mu.Lock()
		open := v.open
		v.mu.Unlock()
		<-open
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// turn opens or shuts the valve.
func (v *valve) turn(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.open:
		if !open {
			v.open = make(chan struct{})
		}
	default:
		if open {
			close(v.open)
		}
	}
}

// TestHungEtcd uses an etcd that others run, and lets the connection hang for a while: calls fail within
// their time-out, and afterwards a follower has missed nothing.
func TestHungEtcd(t *testing.T) {
	v := newValve(t, outerEtcd(t))
	s, err := store.New(store.Options{Dir: t.TempDir(), Endpoints: []string{v.ln.Addr().String()}, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		v.turn(true)
		cancel()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrUnavailable) {
				t.Error(err)
			}
		}
	}()
	<-s.Ready()
	seen := make(chan string, 100)
	go func() {
		done <- s.Follow(ctx, func(c store.Change) error {
			for _, n := range c.Puts {
				seen <- n.Key()
			}
			return nil
		})
	}()
	put(t, s, account("first", ""))
	if got := <-seen; got != "first" {
		t.Errorf("followed %s", got)
	}

	// That an answer comes at all while etcd hangs is the store's own time-out.
	v.turn(false)
	_, err = s.Commit(t.Context(), func(tx *store.Tx) error { tx.Put(account("hung", "")); return nil })
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit while etcd hangs: %v", err)
	}
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		_, err := store.Get[*trellis.Account](tx, "first")
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("get while etcd hangs: %v", err)
		}
		return nil // what fn makes of a failed read does not count
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("read while etcd hangs: %v", err)
	}

	v.turn(true)
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := s.Commit(t.Context(), func(tx *store.Tx) error { tx.Put(account("last", "")); return nil })
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	for key := range seen {
		if key == "last" {
			break
		}
	}
}

// TestSealingKey loses the key file, replaces it by another, and adds a new key to it.
func TestSealingKey(t *testing.T) {
	dir, path := t.TempDir(), ""
	path = filepath.Join(dir, "seal.key")
	s, stop := start(t, dir)
	put(t, s, &trellis.AccessKey{ID: "AKIAOLD", Secret: trellis.NewSecret("old secret")})
	var backup bytes.Buffer
	if err := s.Backup(t.Context(), &backup); err != nil || backup.Len() == 0 {
		t.Errorf("backup of %d bytes: %v", backup.Len(), err)
	}
	if bytes.Contains(backup.Bytes(), []byte("old secret")) {
		t.Error("a backup holds a secret in the clear")
	}
	stop()
	mine, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.New(store.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is missing although data exists") {
		t.Errorf("without the key file: %v", err)
	}
	other := t.TempDir()
	if _, err := store.New(store.Options{Dir: other}); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(other, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = store.New(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "bring that file back") {
		t.Errorf("with another key file: %v", err)
	}
	// A new key in front seals from now on, the old one behind it still opens.
	if err := os.WriteFile(path, append(theirs, mine...), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, dir)
	put(t, s, &trellis.AccessKey{ID: "AKIANEW", Secret: trellis.NewSecret("new secret")})
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		for id, want := range map[string]string{"AKIAOLD": "old secret", "AKIANEW": "new secret"} {
			k, err := store.Get[*trellis.AccessKey](tx, id)
			if err != nil {
				return err
			}
			if got := k.Secret.Reveal(); got != want {
				t.Errorf("%s: %q", id, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBeforeRun asks a store that was never started: it answers within its time-out.
func TestBeforeRun(t *testing.T) {
	s, err := store.New(store.Options{Dir: t.TempDir(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Read(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("read of a caller that has gone: %v", err)
	}
	if err := s.Backup(t.Context(), io.Discard); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("backup: %v", err)
	}
}

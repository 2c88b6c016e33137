package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// TestMain runs the child of the kill test, or all tests and then looks for leaked goroutines.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	if dir := os.Getenv(childFull); dir != "" {
		commitUntilFull(dir)
		return
	}
	if dir := os.Getenv(childRead); dir != "" {
		count(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// start runs a store in dir until the test ends or the returned function is called.
func start(t *testing.T, dir string) (*store.Store, func()) {
	t.Helper()
	s, err := store.New(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatalf("Run: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the store does not become ready")
	}
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// account is a noun for tests.
func account(id, name string) *trellis.Account { return &trellis.Account{ID: id, Name: name} }

// put commits one noun.
func put(t *testing.T, s *store.Store, n trellis.Noun) trellis.Revision {
	t.Helper()
	rev, err := s.Commit(t.Context(), func(tx *store.Tx) error { tx.Put(n); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// read returns what an account's name is, and fails when it is not there.
func name(t *testing.T, s *store.Store, id string) string {
	t.Helper()
	var a *trellis.Account
	err := s.Read(t.Context(), func(tx *store.Tx) (err error) { a, err = store.Get[*trellis.Account](tx, id); return err })
	if err != nil {
		t.Fatal(err)
	}
	return a.Name
}

func TestReadsBackWhatWasWrittenAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, dir)
	key := &trellis.AccessKey{ID: "AKIAEXAMPLE", Account: "111122223333", Secret: trellis.NewSecret("the-plain-secret-text")}
	put(t, s, key)
	put(t, s, account("111122223333", "management"))
	session := s.Key("session")
	stop()

	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "the-plain-secret-text") {
			t.Errorf("%s holds the secret in the clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "seal.key")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("seal.key: %v %v, want mode 0600", fi, err)
	}

	s, _ = start(t, dir)
	if got := name(t, s, "111122223333"); got != "management" {
		t.Errorf("name after restart: %q", got)
	}
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		k, err := store.Get[*trellis.AccessKey](tx, "AKIAEXAMPLE")
		if err == nil && k.Secret.Reveal() != "the-plain-secret-text" {
			t.Errorf("secret after restart: %q", k.Secret.Reveal())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if string(s.Key("session")) != string(session) {
		t.Error("the derived key changed with a restart")
	}
}

func TestOneStore(t *testing.T) {
	dir := t.TempDir()
	s, _ := start(t, dir)
	// One etcd serves all of these: starting it is what takes time.
	t.Run("get of nothing", func(t *testing.T) {
		err := s.Read(t.Context(), func(tx *store.Tx) error {
			_, err := store.Get[*trellis.Account](tx, "999999999999")
			return err
		})
		if !errors.Is(err, trellis.ErrNotExist) {
			t.Errorf("got %v, want ErrNotExist", err)
		}
	})
	t.Run("second process", func(t *testing.T) {
		other, err := store.New(store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*store.InUseError](other.Run(t.Context())); !ok {
			t.Errorf("a second store on one directory did not fail with InUseError")
		}
	})
	t.Run("write inside Read", func(t *testing.T) {
		err := s.Read(t.Context(), func(tx *store.Tx) error { tx.Put(account("1", "x")); return nil })
		if err == nil {
			t.Error("Read took a write")
		}
	})
	t.Run("own writes", func(t *testing.T) { testOwnWrites(t, s) })
	t.Run("pages", func(t *testing.T) { testPages(t, s) })
	t.Run("lost update", func(t *testing.T) { testLostUpdate(t, s) })
	t.Run("phantom", func(t *testing.T) { testPhantom(t, s) })
	t.Run("quota", func(t *testing.T) { testQuota(t, s) })
	t.Run("claim", func(t *testing.T) { testClaim(t, s) })
	t.Run("marks", func(t *testing.T) { testMarks(t, s) })
	t.Run("once", func(t *testing.T) { testOnce(t, s) })
}

func testOwnWrites(t *testing.T, s *store.Store) {
	for _, id := range []string{"own-b", "own-d"} {
		put(t, s, account(id, "old"))
	}
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(account("own-a", "new"))
		tx.Put(account("own-b", "changed"))
		tx.Put(account("own-c", "new"))
		tx.Delete(account("own-d", ""))
		tx.Put(account("own-e", "new"))
		all, err := store.List[*trellis.Account](tx, "own-")
		if err != nil {
			return err
		}
		var got string
		for _, a := range all {
			got += a.ID + "=" + a.Name + " "
		}
		if want := "own-a=new own-b=changed own-c=new own-e=new "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n, err := store.Count[*trellis.Account](tx, "own-"); err != nil || n != 4 {
			t.Errorf("counted %d, %v, want 4", n, err)
		}
		tx.Delete(account("own-f", "")) // it was never there
		if n, err := store.Count[*trellis.Account](tx, "own-"); err != nil || n != 4 {
			t.Errorf("counted %d, %v, want 4", n, err)
		}
		if _, err := store.Get[*trellis.Account](tx, "own-d"); !errors.Is(err, trellis.ErrNotExist) {
			t.Errorf("what was deleted is read as %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testPages(t *testing.T, s *store.Store) {
	const n = 25
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			tx.Put(account(fmt.Sprintf("page/%02d", i), "x"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 7, 24, 25, 26, 100} {
		var got []string
		for after := ""; ; {
			err := s.Read(t.Context(), func(tx *store.Tx) error {
				items, next, err := store.Page[*trellis.Account](tx, "page/", after, limit)
				for _, a := range items {
					got = append(got, a.ID)
				}
				after = next
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if after == "" {
				break
			}
		}
		if len(got) != n || got[0] != "page/00" || got[n-1] != "page/24" {
			t.Errorf("limit %d: got %d items %v", limit, len(got), got)
		}
	}
}

// testLostUpdate lets many goroutines add to one text: each addition must be there in the end.
func testLostUpdate(t *testing.T, s *store.Store) {
	put(t, s, account("counter", ""))
	const workers, rounds = 8, 5
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
					a, err := store.Get[*trellis.Account](tx, "counter")
					if err != nil {
						return err
					}
					a.Name += "x"
					tx.Put(a)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(name(t, s, "counter")); got != workers*rounds {
		t.Errorf("%d additions are left of %d", got, workers*rounds)
	}
}

// testPhantom changes a range between its reading and the commit in every way that must be seen.
func testPhantom(t *testing.T, s *store.Store) {
	put(t, s, account("range/b", "x"))
	changes := map[string]func(tx *store.Tx){
		"add before": func(tx *store.Tx) { tx.Put(account("range/a", "x")) },
		"add after":  func(tx *store.Tx) { tx.Put(account("range/c", "x")) },
		"change":     func(tx *store.Tx) { tx.Put(account("range/b", "y")) },
		"remove":     func(tx *store.Tx) { tx.Delete(account("range/b", "")) },
		"outside":    func(tx *store.Tx) { tx.Put(account("ranger", "x")) },
	}
	for _, what := range []string{"add before", "add after", "change", "remove", "outside"} {
		runs := 0
		_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
			runs++
			if _, err := store.List[*trellis.Account](tx, "range/"); err != nil {
				return err
			}
			if runs == 1 {
				if _, err := s.Commit(t.Context(), func(tx *store.Tx) error { changes[what](tx); return nil }); err != nil {
					return err
				}
			}
			tx.Put(account("decision", what))
			return nil
		})
		want := 2
		if what == "outside" {
			want = 1
		}
		if err != nil || runs != want {
			t.Errorf("%s: ran %d times with error %v, want %d times", what, runs, err, want)
		}
	}
}

// testQuota adds to a range from many sides at once, none of which may go beyond what is allowed.
func testQuota(t *testing.T, s *store.Store) {
	const most = 5
	full := errors.New("full")
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
				n, err := store.Count[*trellis.Account](tx, "quota/")
				if err != nil {
					return err
				}
				if n >= most {
					return full
				}
				tx.Put(account(fmt.Sprintf("quota/%02d", i), "x"))
				return nil
			})
			if err != nil && !errors.Is(err, full) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	err := s.Read(t.Context(), func(tx *store.Tx) error {
		n, err := store.Count[*trellis.Account](tx, "quota/")
		if n != most {
			t.Errorf("%d are there, want %d", n, most)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testClaim(t *testing.T, s *store.Store) {
	var mu sync.Mutex
	var winners []string
	var wg sync.WaitGroup
	for i := range 12 {
		me := fmt.Sprintf("svc-%d", i)
		wg.Go(func() {
			_, err := s.Commit(t.Context(), func(tx *store.Tx) error { return tx.Claim("servicename/1/orders", me) })
			if err == nil {
				mu.Lock()
				winners = append(winners, me)
				mu.Unlock()
			} else if taken, ok := errors.AsType[*store.TakenError](err); !ok || taken.Holder == me {
				t.Errorf("%s: %v", me, err)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Fatalf("winners of one name: %v", winners)
	}
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		if err := tx.Claim("servicename/1/orders", winners[0]); err != nil {
			return err
		}
		tx.Release("servicename/1/orders")
		return tx.Claim("servicename/1/orders", "another")
	})
	if err != nil {
		t.Errorf("claim again, release, claim by another: %v", err)
	}
}

func testMarks(t *testing.T, s *store.Store) {
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Mark("targetgroupuse/1/tg-1", "1/svc/listener/b")
		tx.Mark("targetgroupuse/1/tg-1", "1/svc/listener/a")
		tx.Mark("targetgroupuse/1/tg-12", "1/svc/listener/c")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Unmark("targetgroupuse/1/tg-1", "1/svc/listener/b")
		got, err := tx.Marked("targetgroupuse/1/tg-1")
		if err == nil && (len(got) != 1 || got[0] != "1/svc/listener/a") {
			t.Errorf("marked: %v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testOnce(t *testing.T, s *store.Store) {
	create := func(token, params string) (*trellis.Account, error) {
		var a *trellis.Account
		_, err := s.Commit(t.Context(), func(tx *store.Tx) (err error) {
			a, err = store.Once(tx, "111122223333/CreateThing", token, params, func() (*trellis.Account, error) {
				n := account("once-"+trellis.RandomHex(12), params)
				tx.Put(n)
				return n, nil
			})
			return err
		})
		return a, err
	}
	first, err := create("t1", "red")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := create("t1", "red"); err != nil || again.ID != first.ID {
		t.Errorf("same token, same parameters: %v, %v, want %s", again, err, first.ID)
	}
	if _, err := create("t1", "blue"); err == nil {
		t.Error("same token, other parameters: no error")
	} else if _, ok := errors.AsType[*store.TokenReusedError](err); !ok {
		t.Errorf("same token, other parameters: %v", err)
	}
	if other, err := create("", "red"); err != nil || other.ID == first.ID {
		t.Errorf("no token: %v, %v", other, err)
	}
	ids := make(chan string, 8)
	var wg sync.WaitGroup
	for range cap(ids) {
		wg.Go(func() {
			a, err := create("t2", "green")
			if err != nil {
				t.Error(err)
				return
			}
			ids <- a.ID
		})
	}
	wg.Wait()
	close(ids)
	want := ""
	for id := range ids {
		if want == "" {
			want = id
		} else if id != want {
			t.Errorf("one token made %s and %s", want, id)
		}
	}
}

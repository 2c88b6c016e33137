package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// childDir is the environment variable that makes the test binary the child of TestKill.
const childDir = "TRELLIS_STORE_TEST_CHILD"

// child commits one noun after the other and prints the number of each that was acknowledged, for ever.
func child(dir string) {
	s, err := store.New(store.Options{Dir: dir})
	if err != nil {
		fmt.Println("new:", err)
		os.Exit(1)
	}
	ctx := context.Background()
	go func() {
		fmt.Println("run:", s.Run(ctx))
		os.Exit(1)
	}()
	<-s.Ready()
	for i := 0; ; i++ {
		_, err := s.Commit(ctx, func(tx *store.Tx) error {
			tx.Put(&trellis.Account{ID: fmt.Sprintf("%06d", i)})
			return nil
		})
		if err != nil {
			fmt.Println("commit:", err)
			os.Exit(1)
		}
		fmt.Println("ok", i)
	}
}

// TestKill kills a process in the middle of its commits: every commit that was acknowledged is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, ok := strings.CutPrefix(lines.Text(), "ok ")
		if last, err = strconv.Atoi(n); !ok || err != nil {
			t.Errorf("child: %s", lines.Text())
			break
		}
		if last == 100 {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	cmd.Wait() // always an error: it was killed
	if last < 100 {
		t.Fatalf("the child ended after commit %d", last)
	}
	s, _ := start(t, dir)
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		all, err := store.List[*trellis.Account](tx, "")
		if err == nil && len(all) <= last {
			t.Errorf("%d commits were acknowledged, %d are there", last+1, len(all))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// childRead is the environment variable that makes the child print how many accounts a store holds.
const childRead = "TRELLIS_STORE_TEST_READ"

// reader is a process of its own that counts a store's accounts. The store of this process may hold the
// directory still, when its etcd could not be stopped.
func reader(dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRead+"="+dir)
	return cmd
}

// count prints how many accounts a store holds.
func count(dir string) {
	s, err := store.New(store.Options{Dir: dir})
	if err != nil {
		fmt.Println("new:", err)
		os.Exit(1)
	}
	ctx := context.Background()
	go func() {
		fmt.Println("run:", s.Run(ctx))
		os.Exit(1)
	}()
	<-s.Ready()
	err = s.Read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.Account](tx, "")
		fmt.Println("found", len(all))
		return err
	})
	if err != nil {
		fmt.Println("read:", err)
		os.Exit(1)
	}
}

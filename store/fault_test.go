package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// TestFullDisk fills the disk below a store: commits fail within their time-out instead of hanging, the
// store ends with an error instead of ending the process, and once there is space again everything that was
// acknowledged is there.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=192m"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	// In a process of its own: what a failed etcd leaves behind ends with it.
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFull+"="+dir)
	out, err := cmd.CombinedOutput()
	var acknowledged int
	if _, scanErr := fmt.Sscanf(string(out), "acknowledged %d\n", &acknowledged); err != nil || scanErr != nil {
		t.Fatalf("child: %v, %s", err, out)
	}
	if !strings.Contains(string(out), "etcd failed") {
		t.Errorf("Run does not say what happened: %s", out)
	}
	if err := os.Remove(filepath.Join(dir, balloon)); err != nil {
		t.Fatal(err)
	}
	out, err = reader(dir).CombinedOutput()
	var found int
	if _, scanErr := fmt.Sscanf(string(out), "found %d", &found); err != nil || scanErr != nil {
		t.Fatalf("read again: %v, %s", err, out)
	}
	if found < acknowledged {
		t.Errorf("%d commits were acknowledged, %d are there", acknowledged, found)
	}
}

// childFull is the environment variable that makes the test binary the child of TestFullDisk.
const childFull = "TRELLIS_STORE_TEST_FULL"

// commitUntilFull fills the disk once the store is ready, and commits until that fails.
func commitUntilFull(dir string) {
	fatal := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
	s, err := store.New(store.Options{Dir: dir})
	if err != nil {
		fatal("new: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	<-s.Ready()
	if err := fill(filepath.Join(dir, balloon)); !errors.Is(err, unix.ENOSPC) {
		fatal("fill: %v", err)
	}
	text := strings.Repeat("x", 1<<20)
	for i := 0; ; i++ {
		_, err := s.Commit(context.Background(), func(tx *store.Tx) error {
			tx.Put(&trellis.Account{ID: fmt.Sprintf("%06d", i), Name: text})
			return nil
		})
		if err == nil {
			continue
		}
		if !errors.Is(err, store.ErrUnavailable) {
			fatal("a commit on a full disk: %v", err)
		}
		fmt.Println("acknowledged", i)
		break
	}
	select {
	case err := <-done:
		fmt.Println(err)
	case <-time.After(20 * time.Second):
		fatal("Run does not return on a full disk")
	}
}

// balloon is the file that takes the space.
const balloon = "balloon"

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	return err
}
